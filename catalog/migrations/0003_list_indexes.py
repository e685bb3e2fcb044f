"""The list in its order, of one kind or of all, and the newer facets, by index."""

from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    dependencies = [("catalog", "0010_file_basis")]

    operations = [
        migrations.RemoveIndex(model_name="entity", name="entity_list"),
        migrations.AddIndex(
            model_name="entity",
            index=models.Index(
                "kind", Lower("name"), "ref", "state", "name", "id", name="entity_list"
            ),
        ),
        migrations.AddIndex(
            model_name="entity",
            index=models.Index(
                Lower("name"), "ref", "state", "name", "id", name="entity_list_any_kind"
            ),
        ),
        migrations.AddIndex(
            model_name="entity",
            index=models.Index(fields=["kind", "state", "id"], name="entity_ids_of_kind"),
        ),
        migrations.AddIndex(
            model_name="entity",
            index=models.Index(fields=["kind", "system_ref", "state"], name="entity_system_facet"),
        ),
        migrations.AddIndex(
            model_name="entity",
            index=models.Index(
                fields=["kind", "namespace", "state"], name="entity_namespace_facet"
            ),
        ),
        migrations.AddIndex(
            model_name="entity",
            index=models.Index(
                fields=["kind", "state"],
                name="entity_with_issues",
                condition=models.Q(has_issues=True),
            ),
        ),
    ]
