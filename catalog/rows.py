"""From a valid descriptor to the columns of an Entity row."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalog.descriptors import Descriptor
from catalog.models import Entity
from catalog.reading import Found, Issue
from catalog.terms import terms_of

# Part of every digest and of what a settled file rests on: raise it when descriptors are judged or
# columns derived differently, and all files are parsed and all rows written again.
SHAPE = "3"
SEARCHED_DESCRIPTION = 2_000
# What a sync writes when a row is new or changed; `ref` and `created_at` never change.
COLUMNS = [
    "kind",
    "namespace",
    "name",
    "title",
    "description",
    "type",
    "lifecycle",
    "owner_ref",
    "system_ref",
    "search_text",
    "terms",
    "document",
    "digest",
    "source",
    "file",
    "last_good_at",
    "location",
    "document_index",
    "line",
    "annotation_lines",
    "state",
    "changed_at",
    "gone_at",
    "reason",
]


@dataclass
class Row:
    """An entity as it should stand, with what hangs on it."""

    entity: Entity
    tags: set[str]
    # (type, target ref): the relations that this entity declares itself
    relations: set[tuple[str, str]]
    issues: list[Issue] = field(default_factory=list)


def digest_of(descriptor: Descriptor) -> str:
    """Changes when anything changes that a row is made of, its place in the source apart."""
    text = json.dumps(
        [SHAPE, descriptor.document, descriptor.relations, descriptor.supported], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()


def place_of(found: Found, source_id: int, file_id: int | None) -> dict[str, Any]:
    """Where the document stands, and that it is valid."""
    result, descriptor = found.result, found.result.descriptor
    return {
        "source_id": source_id,
        "file_id": file_id,
        "last_good_at": None,
        "location": found.location,
        "document_index": result.index,
        "line": result.line,
        "annotation_lines": descriptor.annotation_lines if descriptor else {},
    }


def row_of(
    found: Found, descriptor: Descriptor, digest: str, place: dict[str, Any], now: datetime
) -> Row:
    """The row; a text too long for its column is cut, a ref too long is left out, both said."""
    metadata = descriptor.document["metadata"]
    spec = descriptor.document.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    tags = {tag for tag in metadata.get("tags") or () if isinstance(tag, str)}
    row = Row(Entity(ref=descriptor.ref, created_at=now), tags, set())
    row.relations = _own_relations(found, descriptor, row.issues)
    values = {
        "kind": descriptor.kind,
        "namespace": descriptor.namespace,
        "name": descriptor.name,
        "title": _text(metadata.get("title")),
        "description": _text(metadata.get("description")),
        "type": _text(spec.get("type")),
        "lifecycle": _text(spec.get("lifecycle")),
        "owner_ref": _first(row.relations, "ownedBy"),
        "system_ref": _first(row.relations, "partOf", "system:"),
        "terms": terms_of(descriptor.document),
        "document": descriptor.document,
        "digest": digest,
        "state": Entity.State.ACTIVE if descriptor.supported else Entity.State.UNSUPPORTED,
        "changed_at": now,
        "reason": "" if descriptor.supported else f"Stagedoor does not know {descriptor.kind}.",
        **place,
    }
    for name in ("title", "type", "lifecycle"):
        values[name] = _cut(found, name, values[name], row.issues)
    words = [values["name"], values["title"], values["description"][:SEARCHED_DESCRIPTION]]
    values["search_text"] = "\n".join([*words, *sorted(tags)]).lower()
    for name, value in values.items():
        setattr(row.entity, name, value)
    return row


def _own_relations(
    found: Found, descriptor: Descriptor, issues: list[Issue]
) -> set[tuple[str, str]]:
    own = {(kind, target) for ref, kind, target in descriptor.relations if ref == descriptor.ref}
    limit = Entity._meta.get_field("ref").max_length
    # Never cut: half a ref could be another entity's name.
    long = {(kind, target) for kind, target in own if len(target) > limit}
    for kind, target in sorted(long):
        issues.append(
            found.issue(
                "relation",
                f'{kind} names "{target[:60]}…", which is longer than {limit} characters; '
                "the relation is left out.",
            )
        )
    return own - long


def _cut(found: Found, name: str, value: str, issues: list[Issue]) -> str:
    limit = Entity._meta.get_field(name).max_length
    if len(value) <= limit:
        return value
    issues.append(
        found.issue("kind", f"The {name} is cut after {limit} characters.", severity="warning")
    )
    return value[: limit - 1] + "…"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _first(relations: set[tuple[str, str]], kind: str, prefix: str = "") -> str:
    """The target of the one relation of a kind; the first by name where there are several."""
    return min((t for k, t in relations if k == kind and t.startswith(prefix)), default="")
