"""Edges between entities, kept in both directions.

A row is *declared* when its source entity's own descriptor says so; the row that goes back is there
because of it. A pair of rows stays as long as one of the two is declared. Where the target is not
known (yet), the declared row stands alone with `target` null, and is completed when the target
appears, from whatever source.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from django.db.models import Exists, OuterRef, Q, Subquery

from catalog.models import Entity, Relation
from catalog.rules.kinds import KINDS

BATCH = 2_000
_PAIRS = {(field.type, field.inverse) for kind in KINDS.values() for field in kind.relations}
INVERSE = {**dict(_PAIRS), **{back: there for there, back in _PAIRS}}


def replace(declared: Mapping[int, Collection[tuple[str, str]]]) -> None:
    """Makes these entities declare exactly these relations: entity pk -> (type, target ref)s.

    Entities that are new belong in here too, with or without relations of their own: others may
    have waited for them.
    """
    rows, undeclare, declare = [], [], []
    for batch in batches(declared):
        known: dict[tuple[int, str, str], Relation] = {
            (row.source_id, row.type, row.target_ref): row
            for row in Relation.objects.filter(source_id__in=batch)
        }
        for (source_id, kind, target_ref), row in known.items():
            wanted = (kind, target_ref) in declared[source_id]
            if wanted != row.declared:
                (declare if wanted else undeclare).append(row.pk)
        rows += [
            Relation(source_id=pk, type=kind, target_ref=target_ref)
            for pk in batch
            for kind, target_ref in declared[pk]
            if (pk, kind, target_ref) not in known
        ]
    for batch in batches(declare):
        Relation.objects.filter(pk__in=batch).update(declared=True)
    for batch in batches(undeclare):
        Relation.objects.filter(pk__in=batch).update(declared=False)
    Relation.objects.bulk_create(rows, batch_size=BATCH)
    _resolve()
    _pair_up(declared)


def forget(pks: Collection[int]) -> None:
    """Before these entities are deleted: drops what points to them only because they said so."""
    for batch in batches(pks):
        Relation.objects.filter(target_id__in=batch, declared=False).delete()


def batches(items: Collection[int]) -> Iterator[Sequence[int]]:
    """Pieces that fit into one query on both databases."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _resolve() -> None:
    """Gives the dangling relations their target where it is known by now."""
    named = Entity.objects.filter(ref=OuterRef("target_ref"))
    Relation.objects.filter(Exists(named), target=None).update(
        target=Subquery(named.values("pk")[:1])
    )


def _pair_up(pks: Collection[int]) -> None:
    """Adds the ways back that are lacking and drops those that nobody declares any more."""
    edges: dict[tuple[int, str, int], tuple[int, bool, str]] = {}
    drop: list[int] = []
    columns = ("source_id", "type", "target_id", "pk", "declared", "source__ref")
    for batch in batches(pks):
        touching = Relation.objects.filter(Q(source_id__in=batch) | Q(target_id__in=batch))
        for source_id, kind, target_id, pk, declared, ref in touching.values_list(*columns):
            if target_id is not None:
                edges[source_id, kind, target_id] = (pk, declared, ref)
            elif not declared:
                drop.append(pk)
    lacking = []
    for (source_id, kind, target_id), (pk, declared, ref) in edges.items():
        back = edges.get((target_id, INVERSE.get(kind, ""), source_id))
        if not declared and not (back and back[1]):
            drop.append(pk)
        elif declared and back is None and kind in INVERSE:
            lacking.append(
                Relation(
                    source_id=target_id,
                    type=INVERSE[kind],
                    target_ref=ref,
                    target_id=source_id,
                    declared=False,
                )
            )
    for batch in batches(drop):
        Relation.objects.filter(pk__in=batch).delete()
    Relation.objects.bulk_create(lacking, batch_size=BATCH)
