"""Documentation pages say their commit; digests of problems are sent once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_complete")]

    operations = [
        migrations.AddField(
            model_name="docpage",
            name="commit",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="docpage",
            name="version",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.CreateModel(
            name="Digest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("team_ref", models.CharField(blank=True, max_length=255)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waits to be sent"),
                            ("sending", "is being sent"),
                            ("sent", "sent"),
                            ("needless", "nothing was wrong any more"),
                            ("failed", "could not be sent"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("not_before", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Why it was not sent.", max_length=300),
                ),
            ],
            options={
                "ordering": ["-day", "team_ref"],
                "constraints": [
                    models.UniqueConstraint(fields=("day", "team_ref"), name="digest_once")
                ],
            },
        ),
    ]
