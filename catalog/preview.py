"""What a source that is not registered yet would bring: its dry run before there is a source."""

from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from catalog.locations import read_source
from catalog.lock import catalog_lock
from catalog.models import Source, SyncRun
from catalog.plan import Plan, plan_of
from catalog.sources import SourceFailed, SourceSpec, reader_for
from catalog.sync import apply_in_full, limits_of


def preview(spec: SourceSpec, name: str) -> Plan:
    """Reads for real and applies for real, in a transaction that is rolled back.

    `name` stands in the sentences about conflicts. Raises SourceFailed, with the issues that were
    found, when nothing could be read.
    """
    source = Source(
        slug=f"preview-{uuid4().hex}",
        name=name,
        kind=spec.kind,
        target=spec.target,
        credential_ref=spec.credential_ref,
        options=dict(spec.options),
    )
    reading = read_source(reader_for(spec), limits=limits_of(source))
    if reading.failure:
        raise SourceFailed(reading.failure, reading.issues)
    with catalog_lock():
        source.save()
        run = SyncRun.objects.create(source=source, cause=SyncRun.Cause.PERSON, dry_run=True)
        outcome = apply_in_full(run, source, reading, timezone.now())
        transaction.set_rollback(True)
    return plan_of(reading, outcome.applied, outcome.found)
