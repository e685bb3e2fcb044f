"""Reads a source and applies what it holds: everything is read first, then one transaction.

Plain functions; catalog/tasks.py and the command line call them. A reading that fails changes
nothing and says so on the source. Network and disk are never touched inside the transaction. A dry
run goes the very same way, and takes everything back.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from catalog import bulk, enrich, files, guard, issues, memory, repositories, runs, teams, version
from catalog.apply import LARGE, Applied, apply, grace, retire
from catalog.locations import Limits, read_source
from catalog.lock import catalog_lock
from catalog.models import Entity, Relation, Repository, Source, SourceFile, SyncRun, Tag
from catalog.plan import Plan, plan_of, plan_of_failure
from catalog.reading import SOURCE_STAGE, Issue, Reading
from catalog.runs import Claim, LeaseLost
from catalog.sources import Reader, SourceFailed, SourceSpec, reader_for
from portal import hooks

logger = logging.getLogger(__name__)

# ("files" or "entities", done, of how many) -> None
Progress = Callable[[str, int, int], None]
HEARTBEAT_SECONDS = 15
# The transaction can't show that it lives, so it says beforehand how long it may take.
APPLY_LEASE = timedelta(minutes=15)
KEEP_RUNS = timedelta(days=14)


@dataclass
class _Attempt:
    """One go at a run; the reader is None while there is none yet."""

    claim: Claim
    progress: Progress
    reader: Reader | None = None
    # The repositories that a partial run is about
    only: frozenset[str] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a reading did, or would do."""

    applied: Applied
    found: list[Issue]
    problems: int
    repositories: set[str]
    plan: Plan | None = None


def run(run_id: int, progress: Progress = lambda phase, done, total: None) -> SyncRun | None:
    """Does one SyncRun. None when it isn't to be had: done, or in another worker's hands."""
    claim = runs.claim(run_id)
    if claim is None:
        return None
    attempt = _Attempt(claim, progress)
    try:
        with memory.rarely_searched():
            outcome = _attempt(attempt)
    except LeaseLost as lost:
        logger.warning("sync given up, it is no longer ours: %s", lost)
        return None
    if outcome is not None and not claim.run.dry_run:
        touched = outcome.applied.touched
        if len(touched) > LARGE:
            bulk.analyze(Entity, Relation, Tag, SourceFile)
            memory.give_back()  # before others begin their work on so much
        if touched:
            hooks.catalog_changed.call(touched)
        if attempt.reader is not None:
            enrich.after(claim.run, attempt.reader, touched, outcome.repositories)
        if len(touched) > LARGE:
            del outcome, touched
            memory.give_back()
    return SyncRun.objects.select_related("source").get(pk=run_id)


def retire_orphans() -> None:
    """Entities whose source was deleted go the same way as those that left theirs."""
    issues.unmark_orphans()
    now = timezone.now()
    orphans = Entity.objects.filter(source=None).only("ref", "state", "gone_at", "reason")
    due = orphans.filter(~Q(state=Entity.State.MISSING) | Q(gone_at__lte=now - grace()))
    if not due.exists():
        return
    applied = Applied()
    with catalog_lock():
        reason = "Its source was deleted from Stagedoor."
        retire(dict.fromkeys(due, reason), applied, now)
        teams.rebuild()
        version.bump()
    hooks.catalog_changed.call(applied.touched)


def spec_of(source: Source, only: frozenset[str] | None = None) -> SourceSpec:
    """The settings that a reader is made of, and what it need not ask again."""
    return SourceSpec(
        source.kind,
        source.target,
        source.credential_ref,
        source.options,
        known=repositories.known(source),
        only=only,
    )


def limits_of(source: Source, *, partial: bool = False) -> Limits:
    """What the source may hold."""
    allowed = frozenset(source.allowed_kinds) if source.allowed_kinds else None
    return Limits(allowed, partial)


def apply_in_full(
    run: SyncRun,
    source: Source,
    reading: Reading,
    now: datetime,
    *,
    progress: Callable[[int, int], None] = lambda done, of: None,
    only: frozenset[str] | None = None,
) -> Outcome:
    """All that a reading changes in the catalog; the caller holds the lock and its transaction."""
    listed = reading.repositories
    changed: set[str] = set()
    if listed is not None:
        changed = repositories.record(source, listed, reading.all_repositories, now)
    applied = apply(source, reading, now, progress, only)
    found = reading.issues + applied.issues
    inside = reading.visited if only is not None else None
    problems = issues.replace(run, found, reading.unchanged, inside)
    issues.mark_new(applied.added.values())
    if applied.touched:
        version.bump()
    return Outcome(applied, found, problems, changed)


def _attempt(attempt: _Attempt) -> Outcome | None:
    """What was done; whatever goes wrong ends up on the run."""
    claim = attempt.claim
    try:
        return _apply(attempt, _read(attempt))
    except LeaseLost:
        raise
    except SourceFailed as failure:
        _fail(attempt, str(failure), failure.issues)
    except Exception:
        logger.exception("sync run %s failed", claim.run.pk)
        sentence = f"Stagedoor itself failed; its log says why (sync run {claim.run.pk})."
        _fail(attempt, sentence, ())
    return None


def _read(attempt: _Attempt) -> Reading:
    claim, source = attempt.claim, attempt.claim.run.source
    shown = time.monotonic()

    def heard(done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown > HEARTBEAT_SECONDS:
            claim.extend()
            shown = time.monotonic()
        attempt.progress("files", done, total)

    if claim.run.partial:
        attempt.only = repositories.flagged(source)
    attempt.reader = reader_for(spec_of(source, attempt.only))
    limits = limits_of(source, partial=claim.run.partial)
    reading = read_source(attempt.reader, heard, files.known(source), limits)
    # A source of which nothing is there goes on: how often that was, is counted.
    if reading.failure and not reading.not_there and not claim.run.partial:
        raise SourceFailed(reading.failure, reading.issues)
    return reading


def _apply(attempt: _Attempt, reading: Reading) -> Outcome:
    claim, dry = attempt.claim, attempt.claim.run.dry_run
    with catalog_lock():
        claim.extend(APPLY_LEASE)
        source = Source.objects.select_for_update().get(pk=claim.run.source_id)
        if _made_of(source) != _made_of(claim.run.source):
            raise SourceFailed("The source was edited while it was read; it is read again soon.")
        now = timezone.now()

        def heard(done: int, total: int) -> None:
            attempt.progress("entities", done, total)

        outcome = apply_in_full(claim.run, source, reading, now, progress=heard, only=attempt.only)
        if dry:
            transaction.set_rollback(True)
        else:
            _succeed(attempt, reading, outcome)
    if dry:
        _plan(attempt, reading, outcome)
    return outcome


def _made_of(source: Source) -> tuple[object, ...]:
    return (source.kind, source.target, source.options, source.allowed_kinds)


def _succeed(attempt: _Attempt, reading: Reading, outcome: Outcome) -> None:
    claim, applied = attempt.claim, outcome.applied
    source = claim.run.source
    claim.update(**_counts(reading, outcome))
    partial = claim.run.partial
    failure = "" if partial else reading.failure
    sentence = failure or _sentence(reading, applied, outcome.problems)
    now = _finish(attempt, SyncRun.State.FAILED if failure else SyncRun.State.SUCCEEDED, sentence)
    values: dict[str, object] = {}
    if not partial:
        values = {"last_error": failure} | ({} if failure else {"last_success_at": now})
    if applied.held is not None:
        values["held"] = applied.held
        # What was released is gone by now, or is another set.
        if not applied.held:
            values["released"] = ""
    Source.objects.filter(pk=source.pk).update(**values)
    if partial:
        # A flag that no listing answered would ask for this run again and again.
        asked = Repository.objects.filter(source=source, external_id__in=attempt.only or ())
        repositories.unflag(asked, claim.run)


def _counts(reading: Reading, outcome: Outcome) -> dict[str, int]:
    """The columns of a run that say how much there was of what."""
    applied = outcome.applied
    return {
        "files": reading.files,
        "added": len(applied.added),
        "changed": len(applied.changed),
        "unchanged": applied.unchanged + len(applied.moved),
        "missing": len(applied.missing),
        "removed": len(applied.removed),
        "problems": outcome.problems,
    }


def _plan(attempt: _Attempt, reading: Reading, outcome: Outcome) -> None:
    """A dry run keeps what would have happened, and leaves the source as it was."""
    applied, failure = outcome.applied, reading.failure
    plan = plan_of(reading, applied, outcome.found)
    with transaction.atomic():
        attempt.claim.update(**_counts(reading, outcome), plan=plan.as_dict())
        sentence = failure or _sentence(reading, applied, outcome.problems)
        state = SyncRun.State.FAILED if failure else SyncRun.State.SUCCEEDED
        _finish(attempt, state, sentence)


def _fail(attempt: _Attempt, sentence: str, found: Iterable[Issue]) -> None:
    """Says what went wrong; the entities and the last good reading's issues stay."""
    claim = attempt.claim
    source = claim.run.source
    problems = [replace(issue, stage=SOURCE_STAGE) for issue in found]
    problems = problems or [Issue(source.target, SOURCE_STAGE, sentence)]
    with transaction.atomic():
        claim.update(problems=len(problems))
        if claim.run.dry_run:
            claim.update(plan=plan_of_failure(problems).as_dict())
        _finish(attempt, SyncRun.State.FAILED, sentence)
        if claim.run.dry_run:
            return
        if claim.run.partial:
            # The schedule is the guarantee; a host that fails is not asked again before.
            repositories.unflag(Repository.objects.filter(source=source), claim.run)
            return
        issues.fail(claim.run, problems)
        Source.objects.filter(pk=source.pk).update(last_error=sentence)


def _finish(attempt: _Attempt, state: str, sentence: str) -> datetime:
    """Writes how the run ended, and answers when."""
    claim, source = attempt.claim, attempt.claim.run.source
    now = timezone.now()
    values: dict[str, object] = {}
    usage = attempt.reader.usage if attempt.reader else None
    if usage and usage.limit is not None:
        values["quota"] = {
            "limit": usage.limit,
            "remaining": usage.remaining,
            "reset_at": usage.reset_at.isoformat() if usage.reset_at else None,
            "seen_at": now.isoformat(),
        }
    if not claim.run.dry_run and not claim.run.partial:
        values["last_attempt_at"] = now
        values["next_due_at"] = now + timedelta(seconds=source.interval_seconds)
    requests = usage.requests if usage else 0
    claim.update(
        state=state, message=sentence, finished_at=now, claimed_until=None, requests=requests
    )
    if values:
        Source.objects.filter(pk=source.pk).update(**values)
    SyncRun.objects.filter(source=source, finished_at__lt=now - KEEP_RUNS).delete()
    return now


def _sentence(reading: Reading, applied: Applied, problems: int) -> str:
    """What happened, in words: "Read 3 files: 2 added, 40 unchanged. 1 problem." """
    counts = {
        "added": len(applied.added),
        "changed": len(applied.changed),
        "unchanged": applied.unchanged + len(applied.moved),
        "no longer there": len(applied.missing),
        "removed": len(applied.removed),
    }
    what = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    files_read = f"{reading.files:,} file{'s' if reading.files != 1 else ''}"
    end = f" {problems:,} problem{'s' if problems != 1 else ''}." if problems else ""
    held = guard.sentence(applied.held or {})
    return f"Read {files_read}: {what or 'nothing new'}.{end}{' ' if held else ''}{held}"
