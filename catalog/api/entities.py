"""An entity as Backstage's API gives it: its document, with what the catalog knows beside it."""

import hashlib
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from catalog.api.fields import Fields
from catalog.models import Entity, Relation, SyncIssue
from portal.api_errors import encode

BATCH = 500
MAX_ISSUES = 50  # of one entity
PREFIX = "backstage.io/"
_COLUMNS = (
    "pk",
    "ref",
    "uid",
    "document",
    "digest",
    "namespace",
    "state",
    "has_issues",
    "location",
    "file__url",
    "file__edit_url",
    "source__kind",
    "source__target",
)
Row = dict[str, Any]


def serialized(pks: Sequence[int], fields: Fields) -> list[bytes]:
    """The entities in this order, each as JSON; one that was removed meanwhile is left out."""
    found = by_pk(pks, fields)
    return [found[pk] for pk in pks if pk in found]


def by_pk(pks: Sequence[int], fields: Fields) -> dict[int, bytes]:
    """Three queries for BATCH of them."""
    found: dict[int, bytes] = {}
    for start in range(0, len(pks), BATCH):
        batch = pks[start : start + BATCH]
        rows = list(Entity.objects.filter(pk__in=batch).order_by().values(*_COLUMNS))
        relations = _relations(batch) if fields.want("relations", "metadata.etag") else {}
        issues = _issues(rows) if fields.want("status", "metadata.etag") else {}
        for row in rows:
            whole = output(row, relations.get(row["pk"], ()), issues.get(row["ref"]))
            found[row["pk"]] = encode(fields.of(whole))
    return found


def output(row: Row, relations: Sequence[tuple[str, str]], issues: list[str] | None) -> Row:
    """One entity; `relations` are sorted."""
    document = row["document"]
    metadata = dict(document.get("metadata") or {})
    metadata["uid"] = str(row["uid"])
    metadata["etag"] = _etag(row, relations, issues)
    metadata.setdefault("namespace", row["namespace"])
    metadata["annotations"] = annotations(row, metadata.get("annotations") or {})
    found = {
        **document,
        "metadata": metadata,
        "relations": [{"type": kind, "targetRef": target} for kind, target in relations],
    }
    if issues:
        found["status"] = {"items": [_status(message) for message in issues]}
    return found


def annotations(row: Row, own: dict[str, Any]) -> dict[str, Any]:
    """With where it comes from. Its own win, but for the two that say who brought it."""
    found = dict(own)
    kind, url = row["source__kind"], row["file__url"]
    scheme = "file" if kind == "path" else "url"
    place = f"{scheme}:{url or row['location']}"
    found[f"{PREFIX}managed-by-location"] = place
    found[f"{PREFIX}managed-by-origin-location"] = f"{scheme}:{row['source__target'] or place}"
    if url:
        found.setdefault(f"{PREFIX}view-url", url)
        found.setdefault(f"{PREFIX}source-location", f"url:{url.rpartition('/')[0]}/")
    if row["file__edit_url"]:
        found.setdefault(f"{PREFIX}edit-url", row["file__edit_url"])
    if row["state"] == Entity.State.MISSING:
        found[f"{PREFIX}orphan"] = "true"
    return found


def _status(message: str) -> dict[str, Any]:
    return {
        "type": f"{PREFIX}catalog-processing",
        "level": "error",
        "message": f"InputError: {message}",
        "error": {"name": "InputError", "message": message},
    }


def _etag(row: Row, relations: Sequence[tuple[str, str]], issues: list[str] | None) -> str:
    """Changes with anything that is given out."""
    parts = (
        row["digest"],
        row["state"],
        row["file__url"],
        row["location"],
        tuple(relations),
        issues,
    )
    return hashlib.sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()


def _relations(pks: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    edges = Relation.objects.filter(source_id__in=pks).order_by()
    found: dict[int, list[tuple[str, str]]] = {}
    rows = sorted(edges.values_list("source_id", "type", "target_ref"), key=itemgetter(1, 2))
    for pk, kind, target in rows:
        found.setdefault(pk, []).append((kind, target))
    return found


def _issues(rows: Iterable[Row]) -> dict[str, list[str]]:
    """Errors of the latest readings, of the entities that have some; no query where none has."""
    refs = [row["ref"] for row in rows if row["has_issues"]]
    if not refs:
        return {}
    errors = SyncIssue.objects.filter(entity_ref__in=refs, severity=SyncIssue.Severity.ERROR)
    found: dict[str, list[str]] = {}
    for ref, message in errors.values_list("entity_ref", "message"):
        if len(found.setdefault(ref, [])) < MAX_ISSUES:
            found[ref].append(message)
    return found
