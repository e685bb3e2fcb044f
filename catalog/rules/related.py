"""Finds an entity's relations in the fields of its spec, both directions of each."""

from collections.abc import Iterator
from typing import Any

from catalog.refs import EntityRef, RefError, parse_ref
from catalog.rules.kinds import Kind, RelationField
from catalog.rules.shapes import Path, Report, shown, what

Relation = tuple[str, str, str]


def related(kind: Kind, ref: EntityRef, spec: dict[str, Any], report: Report) -> set[Relation]:
    """(source ref, type, target ref) for each ref of each relation field, and its inverse.

    A ref without a namespace is in the entity's own. Targets need not exist.
    """
    found: set[Relation] = set()
    own = str(ref)
    for relation in kind.relations:
        for path, value in _values(relation.field, spec.get(relation.field)):
            target = _target(value, relation, ref.namespace, path, report)
            if target:
                found.add((own, relation.type, target))
                found.add((target, relation.inverse, own))
    return found


def _values(name: str, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield ("spec", name, index), item
    elif value not in (None, "", 0):  # what JavaScript takes for nothing; False equals 0
        yield ("spec", name), value


def _target(value: Any, relation: RelationField, namespace: str, path: Path, report: Report) -> str:
    if isinstance(value, dict):
        return _compound(value, relation, namespace, path, report)
    try:
        if not isinstance(value, str):
            raise RefError(f"an entity ref is a text, not {what(value)}; write kind:name.")
        return str(
            parse_ref(value, default_kind=relation.default_kind, default_namespace=namespace)
        )
    except RefError as error:
        report(path, f"{shown(path)}: {error}")
        return ""


def _compound(
    value: dict[str, Any], relation: RelationField, namespace: str, path: Path, report: Report
) -> str:
    """A ref in parts, {kind, namespace, name}: only `dependencyOf` has no schema against it."""
    found = value.get("kind") or relation.default_kind
    place, name = value.get("namespace") or namespace, value.get("name")
    texts = isinstance(found, str) and isinstance(place, str) and isinstance(name, str)
    if texts and found and name:
        return str(EntityRef(found, place, name))
    report(path, f"{shown(path)} must name a kind and a name; write kind:name.")
    return ""
