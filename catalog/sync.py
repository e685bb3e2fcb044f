"""Reads a source and applies what it holds: everything is read first, then one transaction.

Plain functions; catalog/tasks.py and the command line call them. A reading that fails changes
nothing and says so on the source. Network and disk are never touched inside the transaction.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from catalog import runs, teams
from catalog.apply import Applied, apply, grace, retire
from catalog.locations import read_source
from catalog.lock import catalog_lock
from catalog.models import Entity, Source, SyncIssue, SyncRun
from catalog.reading import SOURCE_STAGE, Issue, Reading
from catalog.runs import Claim, LeaseLost
from catalog.sources import SourceFailed, SourceSpec, reader_for
from portal import hooks
from portal.text import storable

logger = logging.getLogger(__name__)

# ("files" or "entities", done, of how many) -> None
Progress = Callable[[str, int, int], None]
HEARTBEAT_SECONDS = 15
# The transaction can't show that it lives, so it says beforehand how long it may take.
APPLY_LEASE = timedelta(minutes=15)
KEEP_RUNS = timedelta(days=14)
MAX_ISSUES = 5_000
MAX_MESSAGE = 5_000


def run(run_id: int, progress: Progress = lambda phase, done, total: None) -> SyncRun | None:
    """Does one SyncRun. None when it isn't to be had: done, or in another worker's hands."""
    claim = runs.claim(run_id)
    if claim is None:
        return None
    try:
        touched = _attempt(claim, progress)
    except LeaseLost as lost:
        logger.warning("sync given up, it is no longer ours: %s", lost)
        return None
    if touched:
        hooks.catalog_changed.call(touched)
    return SyncRun.objects.select_related("source").get(pk=run_id)


def retire_orphans() -> None:
    """Entities whose source was deleted go the same way as those that left theirs."""
    now = timezone.now()
    orphans = Entity.objects.filter(source=None).only("state", "gone_at", "reason")
    due = orphans.filter(~Q(state=Entity.State.MISSING) | Q(gone_at__lte=now - grace()))
    if not due.exists():
        return
    applied = Applied()
    with catalog_lock():
        reason = "Its source was deleted from Stagedoor."
        retire(dict.fromkeys(due, reason), applied, now)
        teams.rebuild()
    hooks.catalog_changed.call(applied.touched)


def _attempt(claim: Claim, progress: Progress) -> set[int]:
    """The pks of the entities that changed; whatever goes wrong ends up on the run."""
    try:
        reading = _read(claim, progress)
        return _apply(claim, reading, progress)
    except LeaseLost:
        raise
    except SourceFailed as failure:
        _fail(claim, str(failure), failure.issues)
    except Exception:
        logger.exception("sync run %s failed", claim.run.pk)
        sentence = f"Stagedoor itself failed; its log says why (sync run {claim.run.pk})."
        _fail(claim, sentence, ())
    return set()


def _read(claim: Claim, progress: Progress) -> Reading:
    source = claim.run.source
    shown = time.monotonic()

    def heard(done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown > HEARTBEAT_SECONDS:
            claim.extend()
            shown = time.monotonic()
        progress("files", done, total)

    reading = read_source(reader_for(spec_of(source)), heard)
    if reading.failure:
        raise SourceFailed(reading.failure, reading.issues)
    return reading


def spec_of(source: Source) -> SourceSpec:
    """The settings that a reader is made of."""
    return SourceSpec(source.kind, source.target, source.credential_ref, source.options)


def _apply(claim: Claim, reading: Reading, progress: Progress) -> set[int]:
    with catalog_lock():
        claim.extend(APPLY_LEASE)
        source = Source.objects.select_for_update().get(pk=claim.run.source_id)
        read = claim.run.source
        if (source.kind, source.target) != (read.kind, read.target):
            raise SourceFailed("The source was edited while it was read; it is read again soon.")
        now = timezone.now()
        applied = apply(source, reading, now, lambda done, of: progress("entities", done, of))
        issues = reading.issues + applied.issues
        SyncIssue.objects.filter(source=source).delete()
        _save_issues(claim.run, issues)
        claim.update(
            files=reading.files,
            added=len(applied.added),
            changed=len(applied.changed),
            unchanged=len(applied.unchanged | applied.moved),
            missing=len(applied.missing),
            removed=len(applied.removed),
            problems=len(issues),
        )
        _finish(claim, SyncRun.State.SUCCEEDED, _sentence(reading, applied, len(issues)), now)
        Source.objects.filter(pk=source.pk).update(last_success_at=now, last_error="")
    return applied.touched


def _fail(claim: Claim, sentence: str, issues: Iterable[Issue]) -> None:
    """Says what went wrong; the entities and the last good reading's issues stay."""
    found = [replace(issue, stage=SOURCE_STAGE) for issue in issues]
    found = found or [Issue(claim.run.source.target, SOURCE_STAGE, sentence)]
    with transaction.atomic():
        SyncIssue.objects.filter(source=claim.run.source, stage=SOURCE_STAGE).delete()
        claim.update(problems=len(found))
        _finish(claim, SyncRun.State.FAILED, sentence, timezone.now())
        _save_issues(claim.run, found)
        Source.objects.filter(pk=claim.run.source_id).update(last_error=sentence)


def _finish(claim: Claim, state: str, sentence: str, now: datetime) -> None:
    source = claim.run.source
    claim.update(state=state, message=sentence, finished_at=now, claimed_until=None)
    Source.objects.filter(pk=source.pk).update(
        last_attempt_at=now, next_due_at=now + timedelta(seconds=source.interval_seconds)
    )
    SyncRun.objects.filter(source=source, finished_at__lt=now - KEEP_RUNS).delete()


def _save_issues(run: SyncRun, issues: list[Issue]) -> None:
    SyncIssue.objects.bulk_create(
        [
            SyncIssue(
                source_id=run.source_id,
                run=run,
                entity_ref=issue.entity_ref[:255],
                severity=issue.severity,
                stage=issue.stage,
                location=storable(issue.location, 500),
                document_index=issue.document_index,
                line=issue.line,
                column=issue.column,
                message=storable(issue.message, MAX_MESSAGE),
            )
            for issue in issues[:MAX_ISSUES]
        ],
        batch_size=500,
    )


def _sentence(reading: Reading, applied: Applied, problems: int) -> str:
    """What happened, in words: "Read 3 files: 2 added, 40 unchanged. 1 problem." """
    counts = {
        "added": len(applied.added),
        "changed": len(applied.changed),
        "unchanged": len(applied.unchanged | applied.moved),
        "no longer there": len(applied.missing),
        "removed": len(applied.removed),
    }
    what = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    files = f"{reading.files:,} file{'s' if reading.files != 1 else ''}"
    end = f" {problems:,} problem{'s' if problems != 1 else ''}." if problems else ""
    return f"Read {files}: {what or 'nothing new'}.{end}"
