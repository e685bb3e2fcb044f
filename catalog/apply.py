"""Brings the catalog's tables in line with a reading; the caller holds the transaction.

Work is in proportion to what has changed: settled files cost one shared UPDATE, and documents come
from the reading's store in batches, so that memory does not grow with the catalog.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from sys import intern
from typing import Any

from django.conf import settings
from django.db import connection

from catalog import bulk, files, guard, ownership, relations, search_index, teams
from catalog.models import Entity, Source, SourceFile, Tag
from catalog.names import Names
from catalog.reading import Found, Issue, Reading
from catalog.relations import batches
from catalog.rows import COLUMNS, Row, digest_of, misfits, place_of, row_of
from portal import hooks
from portal.text import storable

BATCH = 500
# More than this are worth preparing for, and leave memory behind that is worth giving back.
LARGE = 1_000
_MISSING = Entity.State.MISSING
# What is compared; the documents themselves stay in the database.
_COMPARED = (
    "ref",
    "digest",
    "source_id",
    "state",
    "gone_at",
    "last_good_at",
    "location",
    "file_id",
    "document_index",
    "line",
    "annotation_lines",
    "owner_ref",
    "system_ref",
)
_PLACED = ["file", "last_good_at", "location", "document_index", "line", "annotation_lines"]
_INSERTED = [f.name for f in Entity._meta.concrete_fields if not (f.primary_key or f.generated)]
_VALUES = itemgetter(*(Entity._meta.get_field(name).attname for name in _INSERTED))
# Who is in which team may have changed with one of these.
_ORG = ("group:", "user:")


@dataclass
class Applied:
    """What has happened: entity pk -> ref, and the problems that showed only now."""

    added: dict[int, str] = field(default_factory=dict)
    changed: dict[int, str] = field(default_factory=dict)
    moved: dict[int, str] = field(default_factory=dict)  # only file or line differ
    unchanged: int = 0
    missing: dict[int, str] = field(default_factory=dict)
    removed: dict[int, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)  # why, of the missing and the removed
    issues: list[Issue] = field(default_factory=list)
    # Source.held as it should be; None: this reading could not tell
    held: dict[str, Any] | None = None

    @property
    def touched(self) -> set[int]:
        """Whoever keeps something about these entities has to look again."""
        parts = (self.added, self.changed, self.moved, self.missing, self.removed)
        return {pk for part in parts for pk in part}

    @property
    def concerns_teams(self) -> bool:
        parts = (self.added, self.changed, self.missing, self.removed)
        return any(ref.startswith(_ORG) for part in parts for ref in part.values())


def apply(
    source: Source,
    reading: Reading,
    now: datetime,
    progress: Callable[[int, int], None],
    only: frozenset[str] | None = None,
) -> Applied:
    """Adds, changes, marks and removes entities of the source. `progress`: (applied, of).

    `only` are the external ids of the repositories that a partial reading was about.
    """
    applied = Applied(unchanged=sum(known.entities for known in reading.unchanged.values()))
    known = _known(source, reading)
    held = files.record(source, reading, now, only)
    names = Names(source, reading, known)
    applied.issues += names.issues
    writer = _Writer(source, held, known, applied, now)
    with _at_once(len(names.winners)):
        writer.write(reading, names, progress)
    files.settle(reading, held, names.unsettled)
    for batch in batches(names.taken):
        # They have to see that their document lost.
        SourceFile.objects.filter(source__in=batch).update(settled=False)
    absent = {
        entity: reason
        for ref, entity in known.items()
        if entity.source_id == source.pk
        and ref not in names.winners
        and ref not in names.barred
        and held.concerns(entity.location)
        # Everything that a settled file describes is there.
        and (entity.state == _MISSING or entity.location not in reading.unchanged)
        and (reason := reading.absence(entity.location, ref))
    }
    _retire_guarded(source, absent, applied, now, whole=only is None)
    files.forget(source, reading, held)
    if applied.concerns_teams:
        teams.rebuild()
    ownership.record_changes(source, writer.owners)
    ownership.end_roles()
    return applied


def retire(absent: dict[Entity, str], applied: Applied, now: datetime) -> None:
    """Marks the absent entities with when and why, and removes those marked long enough ago."""
    marked = []
    limit = Entity._meta.get_field("reason").max_length
    for entity, reason in absent.items():
        if entity.state != _MISSING:
            entity.state, entity.gone_at, entity.reason = _MISSING, now, storable(reason, limit)
            marked.append(entity)
            applied.missing[entity.pk] = entity.ref
        elif entity.gone_at is None or entity.gone_at <= now - grace():
            applied.removed[entity.pk] = entity.ref
        else:
            continue
        applied.reasons[entity.ref] = storable(reason, limit)
    Entity.objects.bulk_update(marked, ["state", "gone_at", "reason"], batch_size=BATCH)
    remove(applied.removed)


def remove(pks: Collection[int]) -> None:
    """Deletes entities with all that hangs on them; the caller holds the transaction."""
    if not pks:
        return
    hooks.catalog_removing.call(set(pks))
    relations.forget(pks)
    for batch in batches(pks):
        Entity.objects.filter(pk__in=batch).delete()
    ownership.end_roles()


def grace() -> timedelta:
    """How long what is marked as missing stays."""
    return timedelta(seconds=settings.CATALOG_REMOVE_AFTER_SECONDS)


@contextmanager
def _at_once(count: int) -> Iterator[None]:
    """What makes so many rows quicker, where they are many."""
    if count <= LARGE:
        yield
        return
    with bulk.room_for_pages(), search_index.entities_at_once(connection):
        yield


def _retire_guarded(
    source: Source, absent: dict[Entity, str], applied: Applied, now: datetime, *, whole: bool
) -> None:
    """As retire(), unless so much would be marked at once that a person has to decide."""
    marked = {entity.ref for entity in absent if entity.state != _MISSING}
    held: dict[str, Any] = {}
    if len(marked) >= guard.LEAST:
        active = Entity.objects.filter(source=source).exclude(state=_MISSING).count()
        held = guard.held_back(source, marked, active, now)
    if held or whole:
        applied.held = held
    retire({e: why for e, why in absent.items() if not held or e.state == _MISSING}, applied, now)


def _known(source: Source, reading: Reading) -> dict[str, Entity]:
    """The entities that this reading may change: those of the source that are not in a settled
    file, and whoever else bears a name that was read."""
    light = Entity.objects.only(*_COMPARED)
    unchanged = {known.pk for known in reading.unchanged.values()}
    rows = SourceFile.objects.filter(source=source).values_list("pk", flat=True)
    known: dict[str, Entity] = {}
    for batch in batches([pk for pk in rows if pk not in unchanged]):
        known.update(_by_ref(light.filter(source=source, file__in=batch)))
    known.update(_by_ref(light.filter(source=source, file=None)))
    known.update(_by_ref(light.filter(source=source, state=_MISSING)))
    refs = dict.fromkeys(found.ref for found in reading.valid)
    for batch in batches([ref for ref in refs if ref not in known]):
        known.update(_by_ref(light.filter(ref__in=batch)))
    return known


def _by_ref(entities: Iterable[Entity]) -> dict[str, Entity]:
    return {entity.ref: entity for entity in entities}


class _Writer:
    """Writes what differs from what is known, a batch at a time."""

    def __init__(
        self,
        source: Source,
        held: files.Files,
        known: dict[str, Entity],
        applied: Applied,
        now: datetime,
    ) -> None:
        self._source = source
        self._files = held
        self._known = known
        self._applied = applied
        self._now = now
        # Written whole in the end: entities of one batch name those of a later one.
        # As tuples of texts that are kept once: a set of eight takes two kilobytes.
        self._relations: dict[int, tuple[tuple[str, str], ...]] = {}
        # (as it was, as it is) of those with another owner or system
        self.owners: list[tuple[Entity, Entity]] = []

    def write(self, reading: Reading, names: Names, progress: Callable[[int, int], None]) -> None:
        done = 0
        for batch in reading.batches(names.winners.values(), BATCH):
            rows = self._compare(batch)
            if rows:
                self._write(rows)
            done += len(batch)
            progress(done, len(names.winners))
        relations.replace(self._relations, self._applied.added)

    def _compare(self, batch: list[Found]) -> list[Row]:
        """The rows to write; entities of which only the place differs are updated at once."""
        rows, moved = [], []
        for found in batch:
            descriptor, held = found.result.descriptor, self._known.get(found.ref)
            if descriptor is None:
                continue
            digest, file_id = digest_of(descriptor), self._files.pks.get(found.location)
            place = place_of(found, self._source.pk, file_id)
            self._applied.issues += misfits(found, descriptor)
            same = held and held.digest == digest and held.source_id == self._source.pk
            if not held or not same or held.state == _MISSING:
                row = row_of(descriptor, digest, place, self._now)
                rows.append(row)
                continue
            if all(getattr(held, name) == value for name, value in place.items()):
                self._applied.unchanged += 1
                continue
            for name, value in place.items():
                setattr(held, name, value)
            moved.append(held)
            self._applied.moved[held.pk] = held.ref
        Entity.objects.bulk_update(moved, _PLACED, batch_size=BATCH)
        return rows

    def _write(self, rows: list[Row]) -> None:
        known = self._known
        refs = [row.values["ref"] for row in rows]
        bulk.write(
            Entity,
            _INSERTED,
            (_VALUES(row.values) for row in rows),
            unique=["ref"] if any(ref in known for ref in refs) else [],
            update=COLUMNS,
        )
        pks = dict(Entity.objects.filter(ref__in=refs).values_list("ref", "pk"))
        held = [pks[ref] for ref in refs if ref in known]
        if held:
            Tag.objects.filter(entity__in=held).delete()
        tags = ((pks[row.values["ref"]], value) for row in rows for value in sorted(row.tags))
        bulk.write(Tag, ["entity", "value"], tags)
        for row in rows:
            self._note(row, pks[row.values["ref"]])

    def _note(self, row: Row, pk: int) -> None:
        ref = row.values["ref"]
        before = self._known.get(ref)
        kind = self._applied.changed if before else self._applied.added
        kind[pk] = ref
        self._relations[pk] = tuple((intern(kind), intern(to)) for kind, to in row.relations)
        if before:
            after = Entity(**row.values)
            if (before.owner_ref, before.system_ref) != (after.owner_ref, after.system_ref):
                self.owners.append((before, after))
