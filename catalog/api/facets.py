"""Which values a field has among some entities, and how many entities have each."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import Count, F, QuerySet
from django.db.models.fields.json import KT

from catalog.api.conditions import RELATIONS_AS_WRITTEN
from catalog.api.filters import FilterError, searchable
from catalog.api.terms_lookup import HasTerm
from catalog.models import Entity, Relation, Tag
from catalog.terms import values_at

# field -> column that holds it as written, empty where it is missing
COLUMNS = {
    "kind": "kind",
    "metadata.namespace": "namespace",
    "metadata.name": "name",
    "spec.type": "type",
    "spec.lifecycle": "lifecycle",
}
# Texts that no column holds as written.
TEXTS = {"spec.owner": "document__spec__owner", "spec.system": "document__spec__system"}
MAX_FACETS = 20
CHUNK = 500


def facet(found: QuerySet[Entity], field: str) -> list[dict[str, Any]]:
    """[{value, count}] by value; grouped in SQL for the usual fields."""
    if not field or len(field) > 300 or "\x00" in field:
        raise FilterError("A facet needs the name of a field, for example spec.type.")
    counts = sorted(_counts(found.order_by(), field.lower()), key=lambda pair: pair[0])
    return [{"value": value, "count": count} for value, count in counts]


def _counts(found: QuerySet[Entity], key: str) -> Iterator[tuple[str, int]]:
    if key in COLUMNS:
        return _grouped(found.exclude(**{COLUMNS[key]: ""}), COLUMNS[key])
    if key in TEXTS:
        return _grouped(found.annotate(value=KT(TEXTS[key])), "value")
    if key == "metadata.tags":
        return _grouped(Tag.objects.filter(entity__in=found), "value")
    if key.startswith("relations."):
        kind = RELATIONS_AS_WRITTEN.get(key.removeprefix("relations."), "")
        return _grouped(Relation.objects.filter(type=kind, source__in=found), "target_ref")
    return _read(found, key)


def _grouped(rows: QuerySet, column: str) -> Iterator[tuple[str, int]]:
    counted = rows.values_list(F(column)).annotate(count=Count("pk")).order_by()
    return ((value, count) for value, count in counted if value and searchable(value))


def _read(found: QuerySet[Entity], key: str) -> Iterator[tuple[str, int]]:
    """Any other field: the documents that have it are read, because terms are in lower case."""
    counts: Counter[str] = Counter()
    documents = found.filter(HasTerm(key)).values_list("document", flat=True)
    for document in documents.iterator(CHUNK):
        counts.update(value for value in values_at(document, key) if searchable(value))
    yield from counts.items()
