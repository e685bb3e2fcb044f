from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):
    dependencies = [("pipelines", "0005_told_and_incidents")]

    operations = [
        migrations.AddField(
            model_name="standingtrigger",
            name="answered",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                help_text="The newest build that it was fired for, whatever came of that.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="pipelines.build",
            ),
        ),
    ]
