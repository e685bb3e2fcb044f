"""From a valid descriptor to the columns of an Entity row."""

import hashlib
import json
from dataclasses import dataclass
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
_LONGEST_REF: int = Entity._meta.get_field("ref").max_length
_LIMITS: dict[str, int] = {
    name: Entity._meta.get_field(name).max_length for name in ("title", "type", "lifecycle")
}


@dataclass
class Row:
    """An entity as it should stand, with what hangs on it."""

    entity: Entity
    tags: set[str]
    # (type, target ref): the relations that this entity declares itself
    relations: set[tuple[str, str]]


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


def row_of(descriptor: Descriptor, digest: str, place: dict[str, Any], now: datetime) -> Row:
    """The row; a text too long for its column is cut, a ref too long left out: see misfits()."""
    metadata = descriptor.document["metadata"]
    spec = descriptor.document.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    tags = {tag for tag in metadata.get("tags") or () if isinstance(tag, str)}
    row = Row(Entity(ref=descriptor.ref, created_at=now), tags, set())
    row.relations = _own_relations(descriptor) - _too_long(descriptor)
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
    for name, limit in _LIMITS.items():
        values[name] = _cut(values[name], limit)
    words = [values["name"], values["title"], values["description"][:SEARCHED_DESCRIPTION]]
    values["search_text"] = "\n".join([*words, *sorted(tags)]).lower()
    for name, value in values.items():
        setattr(row.entity, name, value)
    return row


def misfits(found: Found, descriptor: Descriptor) -> list[Issue]:
    """What does not fit into a row, whether or not the row has to be written."""
    spec = descriptor.document.get("spec")
    texts = {"title": descriptor.document["metadata"].get("title")}
    if isinstance(spec, dict):
        texts |= {"type": spec.get("type"), "lifecycle": spec.get("lifecycle")}
    issues = [
        found.issue("kind", f"The {name} is cut after {_LIMITS[name]} characters.", "warning")
        for name, text in texts.items()
        if len(_text(text)) > _LIMITS[name]
    ]
    for kind, target in sorted(_too_long(descriptor)):
        sentence = (
            f'{kind} names "{target[:60]}…", which is longer than {_LONGEST_REF} characters; '
            "the relation is left out."
        )
        issues.append(found.issue("relation", sentence))
    return issues


def _own_relations(descriptor: Descriptor) -> set[tuple[str, str]]:
    return {(kind, target) for ref, kind, target in descriptor.relations if ref == descriptor.ref}


def _too_long(descriptor: Descriptor) -> set[tuple[str, str]]:
    """Never cut: half a ref could be another entity's name."""
    own = _own_relations(descriptor)
    return {(kind, target) for kind, target in own if len(target) > _LONGEST_REF}


def _cut(value: str, limit: int) -> str:
    return value if len(value) <= limit else value[: limit - 1] + "…"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _first(relations: set[tuple[str, str]], kind: str, prefix: str = "") -> str:
    """The target of the one relation of a kind; the first by name where there are several."""
    return min((t for k, t in relations if k == kind and t.startswith(prefix)), default="")
