"""For which team an owner gave a role: it ends when the service is another team's.

What owners gave before has no team and does not end by itself. No release had such roles, and whose
the service was then is written nowhere: a guess from today's owner could keep or end the wrong one.
"""

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
