"""A repository says where its descriptor is, and when its host last listed it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0013_docs_and_digests")]

    operations = [
        migrations.AddField(
            model_name="repository",
            name="descriptor",
            field=models.CharField(blank=True, editable=False, max_length=500, null=True),
        ),
        migrations.AlterField(
            model_name="repository",
            name="read_at",
            field=models.DateTimeField(blank=True, help_text="Last listed by its host.", null=True),
        ),
    ]
