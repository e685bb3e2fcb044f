"""The catalog as a file, filtered as the list is: CSV for spreadsheets, JSON as Backstage has it.

Streamed batch by batch, so that a large catalog takes no more memory than a small one, and
without holding a transaction open while somebody's network is slow.
"""

import csv
import io
import json
from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from catalog import version
from catalog.forms import read_filters
from catalog.mine import mine_of
from catalog.models import Entity, Relation, Tag
from catalog.pages import seen_or_denied
from catalog.queries import listed

BATCH = 500
COLUMNS = (
    "ref",
    "kind",
    "namespace",
    "name",
    "title",
    "description",
    "type",
    "lifecycle",
    "owner_ref",
    "system_ref",
    "state",
    "has_issues",
    "location",
)
# What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@require_safe
def entity_export(request: HttpRequest, format: str) -> StreamingHttpResponse:
    """Everything that the filters let through, by ref; not only the page that is shown."""
    seen_or_denied(request)
    if format not in TYPES:
        raise Http404("The catalog is exported as csv or json.")
    filters, _ = read_filters(request.GET)
    found = listed(filters, mine_of(request, version.current()))
    chunks = _csv(found) if format == "csv" else _json(found)
    response = StreamingHttpResponse(chunks, content_type=TYPES[format])
    name = f"catalog-{timezone.now():%Y-%m-%d}.{format}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _csv(found: QuerySet[Entity]) -> Iterator[bytes]:
    yield _lines([[*COLUMNS, "tags"]])
    for batch in _batches(found.values_list("pk", *COLUMNS), 1):
        tags: dict[int, list[str]] = {}
        rows = Tag.objects.filter(entity__in=[row[0] for row in batch]).order_by("value")
        for pk, value in rows.values_list("entity", "value"):
            tags.setdefault(pk, []).append(value)
        yield _lines([[*row[1:], " ".join(tags.get(row[0], ()))] for row in batch])


def _json(found: QuerySet[Entity]) -> Iterator[bytes]:
    """A JSON array, an entity a line: its document, with what the catalog knows beside it."""
    before = "[\n"
    for batch in _batches(found.values_list("pk", "ref", "document", "uid", "namespace"), 1):
        relations = _relations([row[0] for row in batch])
        lines = []
        for pk, _, document, uid, namespace in batch:
            metadata = {"namespace": namespace, **document["metadata"], "uid": str(uid)}
            entity = {**document, "metadata": metadata, "relations": relations.get(pk, [])}
            lines.append(json.dumps(entity, ensure_ascii=False))
        yield (before + ",\n".join(lines)).encode()
        before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


def _relations(pks: list[int]) -> dict[int, list[dict[str, str]]]:
    found: dict[int, list[dict[str, str]]] = {}
    edges = Relation.objects.filter(source__in=pks).order_by("type", "target_ref")
    for pk, kind, target in edges.values_list("source", "type", "target_ref"):
        found.setdefault(pk, []).append({"type": kind, "targetRef": target})
    return found


def _batches(rows: QuerySet, ref: int) -> Iterator[list[tuple]]:
    """Rows by ref, a query for BATCH of them; `ref` is the column that holds it."""
    last = ""
    while batch := list(rows.filter(ref__gt=last).order_by("ref")[:BATCH]):
        yield batch
        last = batch[-1][ref]


def _lines(rows: list[list[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue().encode()


def _cell(value: object) -> str:
    """As text; what would be a formula is marked as text with an apostrophe."""
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
