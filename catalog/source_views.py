"""The pages about sources: where the catalog comes from, how old it is, and what is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Count, Exists, IntegerField, OuterRef, Prefetch, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from catalog import tasks
from catalog.models import Entity, Source, SyncIssue, SyncRun
from catalog.reading import CONFLICT_STAGE
from catalog.runs import OPEN
from catalog.source_status import SourceStatus, status_of
from catalog.sync_requests import ask, decide_for
from portal.fragments import render_either, wants_fragment
from portal.guard import Denied, actor_of, require
from portal.health import Check, beat_status, schedule_status, worker_status
from portal.policy import Target

SOURCES = Target("the catalog's sources")
SHOWN_ISSUES = 200
SHOWN_RUNS = 10


@dataclass(frozen=True)
class SourceRow:
    """A source on the list."""

    source: Source
    status: SourceStatus
    entities: int
    problems: int
    due: bool


@require_safe
def source_list(request: HttpRequest) -> HttpResponse:
    """Every source with its state, its age and how much it brought."""
    require(request, "catalog.view", SOURCES)
    sources = Source.objects.annotate(
        entity_count=_count(Entity), issue_count=_count(SyncIssue)
    ).prefetch_related(
        Prefetch("runs", SyncRun.objects.filter(state__in=OPEN), to_attr="open_runs")
    )
    now = timezone.now()
    rows = [_row(source, now) for source in sources]
    context = {"rows": rows, "warnings": _warnings()}
    return render(request, "catalog/source_list.html", context)


@require_safe
def source_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One source; htmx gets the part that changes while it is read."""
    require(request, "catalog.view", SOURCES)
    context = _detail(_source(slug), timezone.now())
    if not wants_fragment(request):
        context["decision"] = decide_for(actor_of(request), context["source"])
    return render_either(request, "catalog/source_detail.html", "catalog/_source_run.html", context)


@require_POST
def source_sync(request: HttpRequest, slug: str) -> HttpResponse:
    """Has the source read at once; its page shows how that goes."""
    source = _source(slug)
    run, decision = ask(request.user, source, request)
    if run is None:
        raise Denied(decision)
    tasks.sync_source.delay_on_commit(run.pk)
    return redirect("catalog:source_detail", slug)


def _source(slug: str) -> Source:
    source = Source.objects.filter(slug=slug).first()
    if source is None:
        raise Http404(f"There is no catalog source {slug}. It may have been deleted.")
    return source


def _row(source: Any, now: datetime) -> SourceRow:
    run = source.open_runs[0] if source.open_runs else None
    return SourceRow(
        source=source,
        status=status_of(source, run, now),
        entities=source.entity_count,
        problems=source.issue_count,
        due=source.next_due_at <= now,
    )


def _detail(source: Source, now: datetime) -> dict[str, Any]:
    runs = list(source.runs.select_related("requested_by")[:SHOWN_RUNS])
    open_run = next((run for run in runs if run.state in OPEN), None)
    named = Entity.objects.filter(ref=OuterRef("entity_ref"))
    issues = source.issues.annotate(entity_known=Exists(named))
    claimed = SyncIssue.objects.filter(
        stage=CONFLICT_STAGE, entity_ref__in=source.entities.values("ref")
    ).exclude(source=source)
    states = dict(source.entities.values_list("state").annotate(Count("pk")).order_by())
    return {
        "source": source,
        "status": status_of(source, open_run, now),
        "open_run": open_run,
        "last_run": next((run for run in runs if run.state not in OPEN), None),
        "runs": runs,
        "due": source.next_due_at <= now,
        "entities": sum(states.values()),
        "missing": states.get(Entity.State.MISSING, 0),
        "files": _by_file(issues[:SHOWN_ISSUES]),
        "problems": issues.count(),
        "shown_problems": SHOWN_ISSUES,
        "claimed": claimed.select_related("source")[:SHOWN_ISSUES],
        "warnings": _warnings(),
    }


def _by_file(issues: Iterable[SyncIssue]) -> list[tuple[str, list[SyncIssue]]]:
    """In their order, which is by location and line."""
    return [(location, list(found)) for location, found in groupby(issues, lambda i: i.location)]


def _count(model: type[Entity] | type[SyncIssue]) -> Coalesce:
    """How many rows of `model` belong to the source, without a join that multiplies."""
    rows = model.objects.filter(source=OuterRef("pk")).order_by().values("source")
    return Coalesce(
        Subquery(rows.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0
    )


def _warnings() -> list[Check]:
    """What keeps sources from being read; the schedule only where its parts seem to run."""
    dead = [check for check in (worker_status(), beat_status()) if not check.ok]
    return dead or [check for check in (schedule_status(),) if not check.ok]
