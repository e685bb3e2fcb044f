"""What a freeze has covered and broken glass was about, whatever descriptors say since."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipelines", "0009_branch_evidence_and_retries")]

    operations = [
        migrations.AddField(
            "freeze",
            "covered",
            models.JSONField(
                blank=True,
                default=dict,
                editable=False,
                help_text="The pipelines of what it covered since it was set: {id: server:name}.",
            ),
        ),
        migrations.AddField(
            "brokenglass",
            "pipelines",
            models.ManyToManyField(
                help_text="What the service could run then.",
                related_name="broken_glass",
                to="pipelines.pipeline",
            ),
        ),
    ]
