"""Brings the catalog's tables in line with a reading; the caller holds the transaction.

Work is in proportion to what has changed: rows that are as they were cost one shared UPDATE.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from catalog import files, ownership, relations, teams
from catalog.models import Entity, Source, Tag
from catalog.reading import CONFLICT_STAGE, Found, Issue, Reading
from catalog.relations import BATCH, batches
from catalog.rows import COLUMNS, Row, digest_of, place_of, row_of
from portal.text import storable

_MISSING = Entity.State.MISSING
# What is compared; the documents themselves stay in the database.
_COMPARED = (
    "ref",
    "digest",
    "source_id",
    "state",
    "gone_at",
    "location",
    "document_index",
    "line",
    "annotation_lines",
    "owner_ref",
    "system_ref",
)


@dataclass
class Applied:
    """What has happened, as entity pks, and the problems that showed only now."""

    added: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)  # only file or line differ
    unchanged: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)
    issues: list[Issue] = field(default_factory=list)

    @property
    def touched(self) -> set[int]:
        """Whoever keeps something about these entities has to look again."""
        return self.added | self.changed | self.moved | self.missing | self.removed


def apply(
    source: Source, reading: Reading, now: datetime, progress: Callable[[int, int], None]
) -> Applied:
    """Adds, changes, marks and removes entities of the source. `progress`: (applied, of)."""
    applied = Applied()
    known = _known(source, [found.ref for found in reading.valid])
    names = _Names(source, known, applied.issues)
    for found in reading.valid:
        names.settle(found)
    rows = _compare(source, names.winners, known, applied, now)
    _write(rows, known, applied, progress)
    files.record(source, reading, now)
    absent = {
        held: reading.absence(held.location, held.ref)
        for ref, held in known.items()
        if held.source_id == source.pk and ref not in names.winners and ref not in names.barred
    }
    retire({held: reason for held, reason in absent.items() if reason}, applied, now)
    teams.rebuild()
    written = [(known[row.entity.ref], row.entity) for row in rows if row.entity.ref in known]
    ownership.record_changes(source, written)
    return applied


def retire(absent: dict[Entity, str], applied: Applied, now: datetime) -> None:
    """Marks the absent entities with when and why, and removes those marked long enough ago."""
    marked = []
    limit = Entity._meta.get_field("reason").max_length
    for entity, reason in absent.items():
        if entity.state != _MISSING:
            entity.state, entity.gone_at, entity.reason = _MISSING, now, storable(reason, limit)
            marked.append(entity)
        elif entity.gone_at is None or entity.gone_at <= now - grace():
            applied.removed.add(entity.pk)
    applied.missing |= {entity.pk for entity in marked}
    Entity.objects.bulk_update(marked, ["state", "gone_at", "reason"], batch_size=BATCH)
    relations.forget(applied.removed)
    for batch in batches(applied.removed):
        Entity.objects.filter(pk__in=batch).delete()


def grace() -> timedelta:
    """How long what is marked as missing stays."""
    return timedelta(seconds=settings.CATALOG_REMOVE_AFTER_SECONDS)


def _known(source: Source, refs: Iterable[str]) -> dict[str, Entity]:
    """The source's own entities, and whoever else bears one of these names."""
    light = Entity.objects.only(*_COMPARED)
    known = {entity.ref: entity for entity in light.filter(source=source)}
    for batch in batches([ref for ref in dict.fromkeys(refs) if ref not in known]):
        known.update({entity.ref: entity for entity in light.filter(ref__in=batch)})
    return known


class _Names:
    """Who gets a name that several documents claim: who has it already, else who came first."""

    def __init__(self, source: Source, known: dict[str, Entity], issues: list[Issue]) -> None:
        self._source = source
        self._known = known
        self._issues = issues
        self._others = dict(Source.objects.values_list("pk", "name"))
        self._longest = Entity._meta.get_field("location").max_length
        self.winners: dict[str, Found] = {}
        self.barred: set[str] = set()  # there, but can't be stored

    def settle(self, found: Found) -> None:
        if len(found.location) > self._longest:
            self.barred.add(found.ref)
            sentence = f"The path is longer than {self._longest} characters."
            self._issues.append(found.issue("read", sentence))
            return
        held = self._known.get(found.ref)
        # Once it is missing there, or that source is deleted, it has moved here.
        elsewhere = held and held.source_id not in {None, self._source.pk}
        if elsewhere and held.state != _MISSING:
            self._lose(found, f'the source "{self._others[held.source_id]}"', held)
            return
        other = self.winners.setdefault(found.ref, found)
        if other is not found:
            self._settle_within(found, other, held)

    def _settle_within(self, found: Found, other: Found, held: Entity | None) -> None:
        winner, loser = other, found
        if held and held.location == found.location != other.location:
            winner, loser = found, other
        self.winners[found.ref] = winner
        self._lose(loser, "this source", winner)

    def _lose(self, found: Found, where: str, holder: Found | Entity) -> None:
        line = holder.line if isinstance(holder, Entity) else holder.result.line
        sentence = (
            f"{found.ref} is described by {where} already, in {holder.location} at line {line}. "
            "That one keeps the name; this document is ignored."
        )
        self._issues.append(found.issue(CONFLICT_STAGE, sentence))


def _compare(
    source: Source,
    winners: dict[str, Found],
    known: dict[str, Entity],
    applied: Applied,
    now: datetime,
) -> list[Row]:
    """The rows to write; entities of which only the place differs are updated at once."""
    rows, moved = [], []
    for ref, found in winners.items():
        descriptor, held = found.result.descriptor, known.get(ref)
        if descriptor is None:
            continue
        digest = digest_of(descriptor)
        same = held and held.digest == digest and held.source_id == source.pk
        if not held or not same or held.state == _MISSING:
            row = row_of(found, descriptor, digest, source, now)
            applied.issues += row.issues
            rows.append(row)
            continue
        place = place_of(found)
        if all(getattr(held, name) == value for name, value in place.items()):
            applied.unchanged.add(held.pk)
            continue
        for name, value in place.items():
            setattr(held, name, value)
        moved.append(held)
    applied.moved = {entity.pk for entity in moved}
    fields = ["location", "document_index", "line", "annotation_lines"]
    Entity.objects.bulk_update(moved, fields, batch_size=BATCH)
    return rows


def _write(
    rows: list[Row],
    known: dict[str, Entity],
    applied: Applied,
    progress: Callable[[int, int], None],
) -> None:
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        Entity.objects.bulk_create(
            [row.entity for row in batch],
            update_conflicts=True,
            unique_fields=["ref"],
            update_fields=COLUMNS,
        )
        pks = [row.entity.pk for row in batch]
        Tag.objects.filter(entity_id__in=pks).delete()
        Tag.objects.bulk_create(
            [Tag(entity=row.entity, value=value) for row in batch for value in sorted(row.tags)]
        )
        progress(start + len(batch), len(rows))
    for row in rows:
        kind = applied.changed if row.entity.ref in known else applied.added
        kind.add(row.entity.pk)
    relations.replace({row.entity.pk: row.relations for row in rows})
