"""Which files a source holds and how fresh each is: SourceFile rows, kept by every reading.

A settled file is one whose entities follow from its bytes alone and stand in the catalog as it
describes them. While it is the same, a reading costs it nothing; anything that takes one of its
entities away, or an edit of its source, makes it be read again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, F, OuterRef, Q, Subquery

from catalog import bulk
from catalog.models import Entity, Repository, Source, SourceFile
from catalog.reading import KnownFile, Reading
from catalog.relations import batches
from catalog.rows import SHAPE
from catalog.sources.base import Place
from portal.text import storable

# A host's "404" is believed when so many readings in a row had it.
BELIEVED_MISSES = 3
_NOWHERE = Place()
_PLACED = ("url", "edit_url", "commit", "version", "repository_id")  # as _place() gives them
_LIMITS = {name: SourceFile._meta.get_field(name).max_length for name in ("url", "edit_url")}


@dataclass
class Files:
    """The source's rows during one reading: location -> pk."""

    pks: dict[str, int] = field(default_factory=dict)
    # The repositories that a partial reading is about; None: all of the source.
    only: frozenset[int] | None = None
    within: set[str] = field(default_factory=set)  # locations in them

    def concerns(self, location: str) -> bool:
        """Whether this reading may say that something is absent from there."""
        return self.only is None or location in self.within


def basis_of(source: Source) -> str:
    """Changes when files would be read differently: another shape of rows, an edited source."""
    made_of = [
        SHAPE,
        source.kind,
        source.target,
        source.options,
        source.allowed_kinds,
        source.trusted_for_org,
    ]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def known(source: Source) -> dict[str, KnownFile]:
    """The settled files, by location: those whose entities all stand as they describe them."""
    standing = Entity.objects.filter(source=source, file__settled=True)
    standing = standing.exclude(state=Entity.State.MISSING).order_by()
    counts = Counter(dict(standing.values_list("file").annotate(Count("pk"))))
    settled = SourceFile.objects.filter(
        source=source, settled=True, basis=basis_of(source), misses=0
    ).values_list("location", "pk", "version", "digest", "refs", "named_by")
    return {
        location: KnownFile(pk, version, digest, len(refs), named_by)
        for location, pk, version, digest, refs, named_by in settled.iterator()
        if counts[pk] == len(refs)
    }


def record(source: Source, reading: Reading, now: datetime, only: frozenset[str] | None) -> Files:
    """Dates the files that were read, and counts how often the others were absent."""
    _date_the_kept(source, reading)
    repositories = dict(Repository.objects.filter(source=source).values_list("external_id", "pk"))
    _write(source, reading, repositories, now)
    _keep_up(reading, repositories)
    _touch(reading, now)
    files = Files(dict(SourceFile.objects.filter(source=source).values_list("location", "pk")))
    if only is not None:
        files.only = frozenset(repositories[one] for one in only if one in repositories)
        inside = SourceFile.objects.filter(repository__in=files.only)
        files.within = set(inside.values_list("location", flat=True)) | reading.visited
    _count_misses(source, reading, files, now)
    return files


def settle(reading: Reading, files: Files, unsettled: Collection[str]) -> None:
    """Notes which of the parsed files need not be looked at again while they are the same."""
    loose = reading.unsettled | set(unsettled)
    pks = [files.pks[location] for location in reading.digests if location not in loose]
    for batch in batches(pks):
        SourceFile.objects.filter(pk__in=batch).update(settled=True)


def forget(source: Source, reading: Reading, files: Files) -> None:
    """Deletes the rows of files that are certainly gone and hold no entity any more."""
    gone = [
        pk
        for location, pk in files.pks.items()
        if location not in reading.digests
        and location not in reading.unchanged
        and files.concerns(location)
        and reading.is_gone(location)
    ]
    for batch in batches(gone):
        SourceFile.objects.filter(pk__in=batch, entities=None).delete()


def _write(source: Source, reading: Reading, repositories: dict[str, int], now: datetime) -> None:
    """The rows of all files that were parsed."""
    basis, refs = basis_of(source), _refs(reading)
    longest = SourceFile._meta.get_field("location").max_length
    columns = ("source", "location", "digest", "refs", "basis", "named_by")
    looked_at = ("settled", "seen_at", "misses", "missed_at")
    rows = [
        (
            *(source.pk, location, digest, refs.get(location, []), basis),
            reading.named_by.get(location, ""),
            *(False, now, 0, None),
            *_place(reading.places.get(location, _NOWHERE), repositories),
        )
        for location, digest in reading.digests.items()
        if len(location) <= longest
    ]
    names = (*columns, *looked_at, *_PLACED[:-1], "repository")
    if rows:
        bulk.write(SourceFile, names, rows, unique=("source", "location"), update=names[2:])


def _keep_up(reading: Reading, repositories: dict[str, int]) -> None:
    """Of files that are as they were: their commit, and who names them, where these differ."""
    again = [
        SourceFile(pk=known.pk, **dict(zip(_PLACED, _place(place, repositories), strict=True)))
        for location, known in reading.unchanged.items()
        if (place := reading.places.get(location)) and place.version[:200] != known.version
    ]
    SourceFile.objects.bulk_update(again, _PLACED, batch_size=500)
    renamed = [
        SourceFile(pk=known.pk, named_by=named_by)
        for location, known in reading.unchanged.items()
        if (named_by := reading.named_by.get(location, "")) != known.named_by
    ]
    SourceFile.objects.bulk_update(renamed, ["named_by"], batch_size=500)


def _place(place: Place, repositories: dict[str, int]) -> tuple[str, str, str, str, int | None]:
    return (
        storable(place.url, 1000),
        storable(place.edit_url, 1000),
        storable(place.commit, 64),
        # Cut, it would equal others.
        place.version if len(place.version) <= 200 else "",
        repositories.get(place.repository),
    )


def _refs(reading: Reading) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for document in reading.valid:
        found.setdefault(document.location, []).append(document.ref)
    return found


def _touch(reading: Reading, now: datetime) -> None:
    for batch in batches([known.pk for known in reading.unchanged.values()]):
        SourceFile.objects.filter(pk__in=batch).update(seen_at=now)


def _date_the_kept(source: Source, reading: Reading) -> None:
    """What is no longer valid stays as old as its last good reading, however new its file.

    A copy elsewhere that is not valid says nothing about it.
    """
    mine = Entity.objects.filter(source=source, last_good_at=None, file__isnull=False)
    for batch in batches(reading.kept - {found.ref for found in reading.valid}):
        places = mine.filter(ref__in=batch).values_list("pk", "location")
        kept = [pk for pk, location in places if location in reading.digests]
        seen = SourceFile.objects.filter(pk=OuterRef("file")).values("seen_at")
        Entity.objects.filter(pk__in=kept).update(last_good_at=Subquery(seen[:1]))


def _count_misses(source: Source, reading: Reading, files: Files, now: datetime) -> None:
    """A 404, or a repository that is no longer listed, counts; in the end it is believed.

    A reading that could not tell, for an error or a limit of the host, neither counts nor clears.
    """
    absent = {
        location for location in reading.not_there if location in files.pks
    } | _of_lost_repositories(source, reading)
    absent = {location for location in absent if files.concerns(location)}
    pks = [files.pks[location] for location in absent]
    for batch in batches(pks):
        rows = SourceFile.objects.filter(pk__in=batch)
        rows.filter(misses=0).update(missed_at=now)
        rows.update(misses=F("misses") + 1, settled=False)
    since = now - timedelta(seconds=settings.CATALOG_ABSENT_AFTER_SECONDS)
    sure = Q(misses__gte=BELIEVED_MISSES, missed_at__lte=since)
    believed: set[str] = set()
    for batch in batches(pks):
        rows = SourceFile.objects.filter(sure, pk__in=batch)
        believed.update(rows.values_list("location", flat=True))
    reading.doubt(absent - believed)
    reading.believe(believed)


def _of_lost_repositories(source: Source, reading: Reading) -> set[str]:
    """The files of repositories that a whole list no longer holds."""
    if reading.repositories is None or not reading.all_repositories:
        return set()
    listed = {repository.external_id for repository in reading.repositories}
    rows = SourceFile.objects.filter(source=source, repository__isnull=False)
    return {
        location
        for location, external_id in rows.values_list("location", "repository__external_id")
        if external_id not in listed and location not in reading.visited
    }
