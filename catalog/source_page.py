"""What the pages of sources show, in a number of queries that does not grow with the catalog."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Count, Exists, IntegerField, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.dateparse import parse_datetime

from catalog import webhooks
from catalog.links import safe_url
from catalog.models import Entity, Repository, Source, SourceFile, SyncIssue, SyncRun
from catalog.reading import CONFLICT_STAGE
from catalog.runs import OPEN
from catalog.source_status import SourceStatus, status_of
from catalog.sources.options import in_words
from portal import inbox
from portal.health import Check, beat_status, schedule_status, worker_status

SHOWN_ISSUES = 200
SHOWN_RUNS = 10
SHOWN_FILES = 25
SHOWN_DELIVERIES = 5


@dataclass(frozen=True)
class Quota:
    """What a host said that it may still be asked."""

    remaining: int
    limit: int
    reset_at: datetime | None
    seen_at: datetime | None

    @property
    def words(self) -> str:
        """For example "812 of 1,000 requests left until 10:40 UTC"."""
        until = f" until {self.reset_at:%H:%M} UTC" if self.reset_at else ""
        return f"{self.remaining:,} of {self.limit:,} requests left{until}"


@dataclass(frozen=True)
class SourceRow:
    """A source on the list."""

    source: Source
    status: SourceStatus
    entities: int
    problems: int
    due: bool
    quota: Quota | None
    requests: int | None  # of its latest reading; None where it has no host


@dataclass(frozen=True)
class FileIssues:
    """A file's problems; `url` is its page at the host, where it is known."""

    location: str
    url: str
    issues: Sequence[SyncIssue]


# --- List --------------------------------------------------------------------------------------
def rows(now: datetime) -> list[SourceRow]:
    """Every source; three queries."""
    ended = SyncRun.objects.filter(source=OuterRef("pk"), dry_run=False).exclude(state__in=OPEN)
    sources = Source.objects.annotate(
        entity_count=_count(Entity),
        issue_count=_count(SyncIssue),
        asked=Subquery(ended.order_by("-pk").values("requests")[:1]),
    ).prefetch_related(
        Prefetch("runs", SyncRun.objects.filter(state__in=OPEN, dry_run=False), to_attr="open_runs")
    )
    return [_row(source, now) for source in sources]


def _row(source: Any, now: datetime) -> SourceRow:
    run = source.open_runs[0] if source.open_runs else None
    return SourceRow(
        source=source,
        status=status_of(source, run, now),
        entities=source.entity_count,
        problems=source.issue_count,
        due=source.next_due_at <= now,
        quota=quota_of(source, now),
        requests=source.asked if source.kind != Source.Kind.PATH else None,
    )


def _count(model: type[Entity] | type[SyncIssue]) -> Coalesce:
    """How many rows of `model` belong to the source, without a join that multiplies."""
    found = model.objects.filter(source=OuterRef("pk")).order_by().values("source")
    return Coalesce(
        Subquery(found.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0
    )


def quota_of(source: Source, now: datetime) -> Quota | None:
    """None once the host counts anew: what it said is over then."""
    told = source.quota if isinstance(source.quota, dict) else {}
    limit, remaining = told.get("limit"), told.get("remaining")
    if not isinstance(limit, int) or not isinstance(remaining, int):
        return None
    reset_at = parse_datetime(told.get("reset_at") or "")
    if reset_at is not None and reset_at <= now:
        return None
    return Quota(remaining, limit, reset_at, parse_datetime(told.get("seen_at") or ""))


# --- One source --------------------------------------------------------------------------------
def detail(source: Source, now: datetime) -> dict[str, Any]:
    """What a reading changes; the fragment that asks for itself again shows all of it."""
    runs = list(source.runs.select_related("requested_by").defer("plan")[:SHOWN_RUNS])
    real = [run for run in runs if not run.dry_run]
    open_run = next((run for run in real if run.state in OPEN), None)
    states = dict(source.entities.values_list("state").annotate(Count("pk")).order_by())
    return {
        "source": source,
        "status": status_of(source, open_run, now),
        "open_run": open_run,
        "open_dry_run": next((run for run in runs if run.dry_run and run.state in OPEN), None),
        "last_run": next((run for run in real if run.state not in OPEN), None),
        "dry_run": _latest_plan(source),
        "runs": runs,
        "due": source.next_due_at <= now,
        "entities": sum(states.values()),
        "missing": states.get(Entity.State.MISSING, 0),
        "quota": quota_of(source, now),
        "held": _held(source),
        "warnings": warnings(),
        **_problems(source),
        **_files(source),
    }


def about(source: Source) -> dict[str, Any]:
    """What people have set: it is not read again with every look at a run."""
    deliveries = inbox.newest(webhooks.receiver(source), SHOWN_DELIVERIES)
    return {
        "options": in_words(source.kind, source.options),
        "webhook_address": webhooks.address(source),
        "deliveries": deliveries,
        "repositories": Repository.objects.filter(
            source=source, state=Repository.State.ACTIVE
        ).aggregate(all=Count("pk"), without=Count("pk", filter=Q(has_descriptor=False))),
    }


def warnings() -> list[Check]:
    """What keeps sources from being read; the schedule only where its parts seem to run."""
    dead = [check for check in (worker_status(), beat_status()) if not check.ok]
    return dead or [check for check in (schedule_status(),) if not check.ok]


def _latest_plan(source: Source) -> SyncRun | None:
    """The newest dry run, unless a real reading of everything has ended since."""
    ended = source.runs.exclude(state__in=OPEN).order_by("-pk")
    newest = ended.filter(dry_run=True).exclude(plan=None).first()
    real = ended.filter(dry_run=False, partial=False).values_list("finished_at", flat=True).first()
    if newest is None or newest.finished_at is None:
        return None
    return newest if real is None or real <= newest.finished_at else None


def _held(source: Source) -> dict[str, Any]:
    """A removal that waits for a person; {} when none does."""
    held = source.held if isinstance(source.held, dict) else {}
    if not held.get("digest"):
        return {}
    refs = [ref for ref in held.get("refs", []) if isinstance(ref, str)]
    since = parse_datetime(str(held.get("since") or ""))
    more = max(0, held.get("count", 0) - len(refs))
    return {**held, "refs": refs, "since": since, "more": more}


def _problems(source: Source) -> dict[str, Any]:
    """Problems by file, lost names among them; and those of its names that others claim."""
    named = Entity.objects.filter(ref=OuterRef("entity_ref"))
    issues = source.issues.annotate(entity_known=Exists(named))
    kept = SyncIssue.objects.filter(
        stage=CONFLICT_STAGE, entity_ref__in=source.entities.values("ref")
    ).exclude(source=source)
    shown = list(issues[:SHOWN_ISSUES])
    return {
        "files": _by_file(source, shown),
        "problems": issues.count(),
        "shown_problems": SHOWN_ISSUES,
        "claimed": kept.select_related("source")[:SHOWN_ISSUES],
    }


def _by_file(source: Source, issues: Iterable[SyncIssue]) -> list[FileIssues]:
    """In their order, which is by location and line."""
    found = [(place, list(group)) for place, group in groupby(issues, lambda i: i.location)]
    places = SourceFile.objects.filter(source=source, location__in=[place for place, _ in found])
    urls = dict(places.values_list("location", "url"))
    return [FileIssues(place, safe_url(urls.get(place, "")), group) for place, group in found]


def _files(source: Source) -> dict[str, Any]:
    """The files that were looked at least lately come first: those are the ones to ask about."""
    every = SourceFile.objects.filter(source=source)
    return {"file_count": every.count(), "oldest_files": _linked(every.order_by("seen_at", "pk"))}


def _linked(files: QuerySet[SourceFile]) -> list[tuple[SourceFile, str]]:
    light = files.only("location", "url", "commit", "seen_at", "refs")[:SHOWN_FILES]
    return [(file, safe_url(file.url)) for file in light]
