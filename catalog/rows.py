"""From a valid descriptor to the columns of an Entity row."""

import hashlib
import json
import uuid
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Row:
    """An entity as it should stand, by the columns of its table, with what hangs on it.

    Not an Entity: to make ten thousand of these takes longer than to make what is in them.
    """

    values: dict[str, Any]
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
    relations = {(kind, t) for kind, t in _own_relations(descriptor) if len(t) <= _LONGEST_REF}
    values = {
        "ref": descriptor.ref,
        "uid": uuid.uuid4(),
        "kind": descriptor.kind,
        "namespace": descriptor.namespace,
        "name": descriptor.name,
        "title": _text(metadata.get("title")),
        "description": _text(metadata.get("description")),
        "type": _text(spec.get("type")),
        "lifecycle": _text(spec.get("lifecycle")),
        "owner_ref": _first(relations, "ownedBy"),
        "system_ref": _first(relations, "partOf", "system:"),
        "terms": terms_of(descriptor.document),
        "document": descriptor.document,
        "digest": digest,
        "state": Entity.State.ACTIVE if descriptor.supported else Entity.State.UNSUPPORTED,
        "created_at": now,
        "changed_at": now,
        "has_issues": False,
        "gone_at": None,
        "reason": "" if descriptor.supported else f"Stagedoor does not know {descriptor.kind}.",
        **place,
    }
    for name, limit in _LIMITS.items():
        values[name] = _cut(values[name], limit)
    words = [values["name"], values["title"], values["description"][:SEARCHED_DESCRIPTION]]
    values["search_text"] = "\n".join([*words, *sorted(tags)]).lower()
    return Row(values, tags, relations)


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
    # Never cut: half a ref could be another entity's name.
    too_long = {(kind, t) for kind, t in _own_relations(descriptor) if len(t) > _LONGEST_REF}
    for kind, target in sorted(too_long):
        sentence = (
            f'{kind} names "{target[:60]}…", which is longer than {_LONGEST_REF} characters; '
            "the relation is left out."
        )
        issues.append(found.issue("relation", sentence))
    return issues


def _own_relations(descriptor: Descriptor) -> Iterator[tuple[str, str]]:
    return ((kind, target) for ref, kind, target in descriptor.relations if ref == descriptor.ref)


def _cut(value: str, limit: int) -> str:
    return value if len(value) <= limit else value[: limit - 1] + "…"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _first(relations: set[tuple[str, str]], kind: str, prefix: str = "") -> str:
    """The target of the one relation of a kind; the first by name where there are several."""
    return min((t for k, t in relations if k == kind and t.startswith(prefix)), default="")
