"""An entity as Backstage's API gives it: its document, with what the catalog knows beside it."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from catalog.api.fields import Fields
from catalog.models import Entity, SyncIssue
from portal.api_errors import encode

BATCH = 500
MAX_ISSUES = 50  # of one entity
PREFIX = "backstage.io/"
# By hand, and relations with the rest: most calls are for a few entities, and Django takes longer
# to write a query, or to ask another, than the database to answer it.
_ROWS = """
SELECT e.id, e.ref, e.uid, e.document, e.digest, e.namespace, e.state, e.has_issues, e.location,
       f.url, f.edit_url, s.kind, s.target,
       (SELECT {pairs} FROM catalog_relation r WHERE r.source_id = e.id)
FROM catalog_entity e
LEFT JOIN catalog_sourcefile f ON f.id = e.file_id
LEFT JOIN catalog_source s ON s.id = e.source_id
WHERE e.{column} IN ({values})
"""
_PAIRS = {
    "postgresql": "jsonb_agg(jsonb_build_array(r.type, r.target_ref))",
    "sqlite": "json_group_array(json_array(r.type, r.target_ref))",
}


class Row(NamedTuple):
    """One row of _ROWS; both databases hand a column of JSON to plain SQL as its text."""

    pk: int
    ref: str
    uid: UUID | str
    document: str
    digest: str
    namespace: str
    state: str
    has_issues: bool
    location: str
    url: str | None
    edit_url: str | None
    source: str | None
    target: str | None
    relations: str | None

    @property
    def edges(self) -> list[list[str]]:
        """[type, target ref], sorted."""
        return sorted(json.loads(self.relations)) if self.relations else []


def serialized(pks: Sequence[int], fields: Fields) -> list[bytes]:
    """The entities in this order, each as JSON; one that was removed meanwhile is left out."""
    found = by_pk(pks, fields)
    return [found[pk] for pk in pks if pk in found]


def by_pk(pks: Sequence[int], fields: Fields) -> dict[int, bytes]:
    """Two queries for BATCH of them."""
    found: dict[int, bytes] = {}
    for start in range(0, len(pks), BATCH):
        found |= _encoded(_rows("id", pks[start : start + BATCH]), fields)
    return found


def by_ref(ref: str) -> bytes | None:
    """The whole entity, if there is one; two queries at most."""
    return next(iter(_encoded(_rows("ref", [ref]), Fields()).values()), None)


def _rows(column: str, values: Sequence[Any]) -> list[Row]:
    places = ", ".join(["%s"] * len(values))
    sql = _ROWS.format(pairs=_PAIRS[connection.vendor], column=column, values=places)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [Row(*row) for row in cursor.fetchall()]


def _encoded(rows: list[Row], fields: Fields) -> dict[int, bytes]:
    issues = _issues(rows) if fields.want("status", "metadata.etag") else {}
    return {row.pk: encode(fields.of(output(row, issues.get(row.ref)))) for row in rows}


def output(row: Row, issues: list[str] | None) -> dict[str, Any]:
    """One entity."""
    document, edges = json.loads(row.document), row.edges
    metadata = dict(document.get("metadata") or {})
    metadata["uid"] = str(UUID(row.uid) if isinstance(row.uid, str) else row.uid)
    metadata["etag"] = _etag(row, edges, issues)
    metadata.setdefault("namespace", row.namespace)
    metadata["annotations"] = annotations(row, metadata.get("annotations") or {})
    found = {
        **document,
        "metadata": metadata,
        "relations": [{"type": kind, "targetRef": target} for kind, target in edges],
    }
    if issues:
        found["status"] = {"items": [_status(message) for message in issues]}
    return found


def annotations(row: Row, own: dict[str, Any]) -> dict[str, Any]:
    """With where it comes from. Its own win, but for the two that say who brought it."""
    found = dict(own)
    scheme = "file" if row.source == "path" else "url"
    place = f"{scheme}:{row.url or row.location}"
    found[f"{PREFIX}managed-by-location"] = place
    found[f"{PREFIX}managed-by-origin-location"] = f"{scheme}:{row.target or place}"
    if row.url:
        found.setdefault(f"{PREFIX}view-url", row.url)
        found.setdefault(f"{PREFIX}source-location", f"url:{row.url.rpartition('/')[0]}/")
    if row.edit_url:
        found.setdefault(f"{PREFIX}edit-url", row.edit_url)
    if row.state == Entity.State.MISSING:
        found[f"{PREFIX}orphan"] = "true"
    return found


def _status(message: str) -> dict[str, Any]:
    return {
        "type": f"{PREFIX}catalog-processing",
        "level": "error",
        "message": f"InputError: {message}",
        "error": {"name": "InputError", "message": message},
    }


def _etag(row: Row, edges: list[list[str]], issues: list[str] | None) -> str:
    """Changes with anything that is given out."""
    parts = (row.digest, row.state, row.url, row.location, edges, issues)
    return hashlib.sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()


def _issues(rows: Iterable[Row]) -> dict[str, list[str]]:
    """Errors of the latest readings, of the entities that have some; no query where none has."""
    refs = [row.ref for row in rows if row.has_issues]
    if not refs:
        return {}
    errors = SyncIssue.objects.filter(entity_ref__in=refs, severity=SyncIssue.Severity.ERROR)
    found: dict[str, list[str]] = {}
    for ref, message in errors.values_list("entity_ref", "message"):
        if len(found.setdefault(ref, [])) < MAX_ISSUES:
            found[ref].append(message)
    return found
