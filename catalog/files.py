"""Which files a source holds and how fresh each is: SourceFile rows, kept by every reading."""

from datetime import datetime

from django.db.models import OuterRef, Subquery

from catalog.models import Entity, Source, SourceFile
from catalog.reading import Reading
from catalog.relations import batches


def record(source: Source, reading: Reading, now: datetime) -> None:
    """Dates the files that were read and ties the source's entities to them."""
    _date_the_kept(source, reading)
    rows = [
        SourceFile(source=source, location=location, digest=digest, seen_at=now)
        for location, digest in reading.digests.items()
    ]
    SourceFile.objects.bulk_create(
        rows,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["source", "location"],
        update_fields=["digest", "seen_at"],
    )
    named = SourceFile.objects.filter(source=source, location=OuterRef("location"))
    loose = Entity.objects.filter(source=source).exclude(file__location=OuterRef("location"))
    Entity.objects.filter(pk__in=loose.values("pk")).update(file=Subquery(named.values("pk")[:1]))


def _date_the_kept(source: Source, reading: Reading) -> None:
    """What is no longer valid stays as old as its last good reading, however new its file."""
    mine = Entity.objects.filter(source=source)
    for batch in batches(reading.kept):
        kept = mine.filter(ref__in=batch, last_good_at=None, file__isnull=False)
        seen = SourceFile.objects.filter(pk=OuterRef("file")).values("seen_at")
        kept.update(last_good_at=Subquery(seen[:1]))
    valid = {found.ref for found in reading.valid}
    again = mine.exclude(last_good_at=None).values_list("pk", "ref")
    for batch in batches([pk for pk, ref in again if ref in valid]):
        Entity.objects.filter(pk__in=batch).update(last_good_at=None)
