"""For which team an owner gave a role: it ends when the service is another team's."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0011_shared_cache")]

    operations = [
        migrations.AddField(
            "rolemapping",
            "team",
            models.CharField(
                blank=True,
                editable=False,
                help_text="For which team: it ends when the service is another team's.",
                max_length=255,
            ),
        ),
    ]
