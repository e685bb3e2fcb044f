"""Edges between entities, kept in both directions.

A row is *declared* when its source entity's own descriptor says so; the row that goes back is there
because of it. A pair of rows stays as long as one of the two is declared. Where the target is not
known (yet), the declared row stands alone with `target` null, and is completed when the target
appears, from whatever source.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from django.db import connection
from django.db.models import Exists, OuterRef, Subquery

from catalog import bulk
from catalog.models import Entity, Relation
from catalog.rules.kinds import KINDS

BATCH = 2_000
_PAIRS = {(field.type, field.inverse) for kind in KINDS.values() for field in kind.relations}
INVERSE = {**dict(_PAIRS), **{back: there for there, back in _PAIRS}}


def replace(
    declared: Mapping[int, Collection[tuple[str, str]]], fresh: Collection[int] = ()
) -> None:
    """Makes these entities declare exactly these relations: entity pk -> (type, target ref)s.

    Entities that are new belong in here too, with or without relations of their own: others may
    have waited for them. `fresh` are those that had no rows before.
    """
    new = fresh if isinstance(fresh, set | frozenset | dict) else set(fresh)
    held = [pk for pk in declared if pk not in new]
    known = _redeclare(declared, held)
    _insert(
        [
            (pk, kind, target_ref)
            for pk, wanted in declared.items()
            for kind, target_ref in wanted
            if pk in new or (pk, kind, target_ref) not in known
        ]
    )
    resolved = _resolve() if new else []
    _add_ways_back(declared, "source_id")
    _add_ways_back(resolved, "id")
    _drop_undeclared(held)


def forget(pks: Collection[int]) -> None:
    """Before these entities are deleted: drops what points to them only because they said so."""
    for batch in batches(pks):
        Relation.objects.filter(target_id__in=batch, declared=False).delete()


def batches(items: Collection[int]) -> Iterator[Sequence[int]]:
    """Pieces that fit into one query on both databases."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _redeclare(
    declared: Mapping[int, Collection[tuple[str, str]]], held: Collection[int]
) -> set[tuple[int, str, str]]:
    """Brings the rows that are there in line; answers which they are."""
    known: set[tuple[int, str, str]] = set()
    declare, undeclare = [], []
    columns = ("pk", "declared", "source_id", "type", "target_ref")
    for batch in batches(held):
        rows = Relation.objects.filter(source_id__in=batch).values_list(*columns)
        for pk, was, source_id, kind, target_ref in rows:
            known.add((source_id, kind, target_ref))
            wanted = (kind, target_ref) in declared[source_id]
            if wanted != was:
                (declare if wanted else undeclare).append(pk)
    for batch in batches(declare):
        Relation.objects.filter(pk__in=batch).update(declared=True)
    for batch in batches(undeclare):
        Relation.objects.filter(pk__in=batch).update(declared=False)
    return known


def _insert(rows: list[tuple[int, str, str]]) -> None:
    """Declared relations, with their target where it is known."""
    targets: dict[str, int] = {}
    for batch in batches({target_ref for _, _, target_ref in rows}):
        targets.update(Entity.objects.filter(ref__in=batch).values_list("ref", "pk"))
    columns = ("source", "type", "target_ref", "declared", "target")
    filled = ((pk, kind, ref, True, targets.get(ref)) for pk, kind, ref in rows)
    bulk.write(Relation, columns, filled)


def _resolve() -> list[int]:
    """Gives the dangling relations their target where it is known by now; answers which."""
    named = Entity.objects.filter(ref=OuterRef("target_ref"))
    dangling = Relation.objects.filter(Exists(named), target=None)
    pks = list(dangling.values_list("pk", flat=True))
    for batch in batches(pks):
        Relation.objects.filter(pk__in=batch).update(target=Subquery(named.values("pk")[:1]))
    return pks


def _add_ways_back(pks: Collection[int], column: str) -> None:
    """For the declared rows of which `column` is one of these, within the database."""
    table, entity = Relation._meta.db_table, Entity._meta.db_table
    inverse = " ".join(f"WHEN '{there}' THEN '{back}'" for there, back in INVERSE.items())
    for batch in batches(pks):
        marks = ", ".join(["%s"] * len(batch))
        kinds = ", ".join(f"'{kind}'" for kind in INVERSE)
        with connection.cursor() as cursor:
            cursor.execute(
                # Names and relation types of our own; what comes from outside is a parameter.
                f"INSERT INTO {table} (source_id, type, target_ref, target_id, declared) "  # noqa: S608
                f"SELECT r.target_id, CASE r.type {inverse} END, e.ref, e.id, %s "
                f"FROM {table} r JOIN {entity} e ON e.id = r.source_id "
                f"WHERE r.{column} IN ({marks}) AND r.declared AND r.target_id IS NOT NULL "
                f"AND r.type IN ({kinds}) "
                "ON CONFLICT (source_id, type, target_ref) DO NOTHING",
                [False, *batch],
            )


def _drop_undeclared(pks: Collection[int]) -> None:
    """Of the rows that touch these entities, those that neither side declares any more."""
    for batch in batches(pks):
        for column in ("source_id", "target_id"):
            _drop(column, batch)


def _drop(column: str, pks: Sequence[int]) -> None:
    table = Relation._meta.db_table
    inverse = " ".join(f"WHEN '{there}' THEN '{back}'" for there, back in INVERSE.items())
    marks = ", ".join(["%s"] * len(pks))
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE {column} IN ({marks}) AND NOT declared "  # noqa: S608
            f"AND NOT EXISTS (SELECT 1 FROM {table} b WHERE b.source_id = {table}.target_id "
            f"AND b.target_id = {table}.source_id AND b.declared "
            f"AND b.type = CASE {table}.type {inverse} END)",
            list(pks),
        )
