"""A file says which Location led to it; the next reading of its source fills this in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_list_indexes")]

    operations = [
        migrations.AddField(
            model_name="sourcefile",
            name="named_by",
            field=models.CharField(blank=True, max_length=255),
        ),
    ]
