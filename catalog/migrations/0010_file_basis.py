"""A file says what its reading rested on, so that an edited source reads everything again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0011_repository_descriptor")]

    operations = [
        migrations.AddField(
            model_name="sourcefile",
            name="basis",
            field=models.CharField(blank=True, max_length=16),
        ),
    ]
