"""What pipelines add to the pages of the rooms below (hook `page_panels`)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from catalog.models import Entity
from catalog.people import teams_of
from pipelines import builds, tasks
from pipelines.models import Build, LinkProblem, Pipeline, PipelineLink, Trigger
from pipelines.offers import actions_for, may_see, run_decision
from pipelines.queries import (
    MOVING,
    broken_since,
    last_good,
    newest_builds,
    pipelines_of,
    states_of,
    triggers_of,
    worst_of,
)
from portal.guard import actor_of
from portal.policy import Decision

Panels = dict[Any, SafeString]
BUILDS_SHOWN = 5
POLL_MOVING = 3  # seconds between two looks while something moves
POLL_FIRST = 1  # before the first look at a pipeline whose refresh was just asked for
MAX_ATTENTION = 200  # services of the person's teams that home looks at
OPEN_TRIGGERS = ("queued", "dispatching", "dispatched", "uncertain")


@dataclass
class PipelineRow:
    """One pipeline of a service page: its builds, what is on its way, what may be done."""

    link: PipelineLink
    builds: list[Build]
    run: Decision
    pending: list[Trigger] = field(default_factory=list)
    poll_seconds: int = 0
    trouble: str = ""

    @property
    def pipeline(self) -> Pipeline:
        return self.link.pipeline


def page_panels(place: str, request: HttpRequest, objects: Sequence[Any]) -> Panels:
    """Hook: the html of each object for this place; places that are not ours get nothing."""
    panel = PLACES.get(place)
    return panel(request, objects) if panel else {}


def pipeline_rows(request: HttpRequest, links: Sequence[PipelineLink]) -> list[PipelineRow]:
    """The rows of these links, newest builds first; asks for a refresh of what is stale."""
    pipelines = [link.pipeline for link in links]
    stale = set(builds.want(pipelines, timezone.now()))
    for pipeline_id in stale:
        tasks.refresh.delay_on_commit(pipeline_id)
    newest = newest_builds([pipeline.pk for pipeline in pipelines], BUILDS_SHOWN)
    pending = Trigger.objects.filter(
        pipeline__in=pipelines, state__in=OPEN_TRIGGERS
    ).select_related("environment")
    actor = actor_of(request)
    rows = []
    for link in links:
        row = PipelineRow(link, newest[link.pipeline_id], run_decision(actor, link))
        row.pending = [trigger for trigger in pending if trigger.pipeline_id == link.pipeline_id]
        row.trouble = link.pipeline.builds_error
        for build in row.builds:
            # A passed build can be run again from its own page; here it would only be clutter.
            build.actions = [] if build.state == "passed" else actions_for(actor, link, build)
        moving = row.pending or any(build.state in MOVING for build in row.builds)
        unread = link.pipeline_id in stale
        row.poll_seconds = POLL_FIRST if unread else POLL_MOVING if moving else 0
        rows.append(row)
    return rows


# --- Service page ----------------------------------------------------------------------------
def service_verdict(request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    """State, owner, last run and what you may do, for a glance."""
    return {entity.pk: verdict(request, entity) for entity in objects}


def verdict(request: HttpRequest, entity: Entity) -> SafeString:
    """The strip of one entity; also the answer when it asks for itself again."""
    seen = may_see(request, [entity])
    groups = pipelines_of(entity) if seen.allowed else []
    state = worst_of(groups)
    newest = max((b for g in groups for b in g.builds), key=lambda b: b.queued_at, default=None)
    actor = actor_of(request)
    decisions = [(group.link, run_decision(actor, group.link)) for group in groups]
    allowed = [link for link, decision in decisions if decision.allowed]
    context = {
        "entity": entity,
        "seen": seen,
        "groups": groups,
        "state": state,
        "broken": _broken(state),
        "newest": newest,
        "runnable": allowed,
        "denied": None if allowed or not decisions else decisions[0][1],
        "poll": any(group.moving for group in groups),
    }
    return render_to_string("pipelines/_verdict.html", context, request)


def _broken(state: Build | None) -> dict[str, Build | None]:
    """Since when, and what was good last; empty unless the state is a failure."""
    if state is None or state.state != "failed":
        return {}
    return {"since": broken_since(state), "good": last_good(state)}


def service_builds(request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    """Each pipeline with its newest builds."""
    found: Panels = {}
    for entity in objects:
        links = _links(entity) if may_see(request, [entity]).allowed else []
        if links or entity.kind == "Component":
            context = {"entity": entity, "rows": pipeline_rows(request, links)}
            found[entity.pk] = render_to_string("pipelines/_pipelines.html", context, request)
    return found


def _links(entity: Entity) -> list[PipelineLink]:
    links = PipelineLink.objects.filter(entity=entity)
    related = links.select_related("pipeline__server", "entity__source")
    return list(related.order_by("pipeline__server__name", "pipeline__name"))


def service_problems(request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    """Annotations that name no pipeline, with file, line and the nearest match."""
    problems = LinkProblem.objects.filter(entity__in=objects).order_by("location", "line")
    grouped: dict[int, list[LinkProblem]] = {}
    for problem in problems:
        grouped.setdefault(problem.entity_id, []).append(problem)
    return {
        pk: render_to_string("pipelines/_link_problems.html", {"problems": found}, request)
        for pk, found in grouped.items()
    }


# --- Lists, teams, home ----------------------------------------------------------------------
def catalog_row(request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    """One state for each entity that has builds; one query for them all."""
    if not may_see(request, []).allowed:
        return {}
    return {
        pk: render_to_string("pipelines/_row_state.html", {"build": build}, request)
        for pk, build in states_of(objects).items()
    }


def team_builds(request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    """What is broken or waiting among the services that a team owns."""
    if not may_see(request, []).allowed:
        return {}
    return {team.pk: html for team in objects if (html := _attention(request, [team.ref]))}


def home(request: HttpRequest, objects: Sequence[Any]) -> Panels:
    """What is broken or waiting and mine, and what I asked for."""
    if not may_see(request, []).allowed:
        return {}
    found: Panels = {}
    for user in objects:
        attention = _attention(request, [team.ref for team in teams_of(user).only("ref")])
        triggers = list(triggers_of(user.pk))
        mine = (
            render_to_string("pipelines/_my_triggers.html", {"triggers": triggers}, request)
            if triggers
            else ""
        )
        if attention or mine:
            found[user.pk] = SafeString(attention + mine)
    return found


def _attention(request: HttpRequest, team_refs: Iterable[str]) -> SafeString:
    owned = Entity.objects.filter(owner_ref__in=list(team_refs), state=Entity.State.ACTIVE)
    owned = owned.filter(pipeline_links__isnull=False).distinct().defer("document", "search_text")
    by_pk = {entity.pk: entity for entity in owned[:MAX_ATTENTION]}
    rows = [
        {"entity": by_pk[pk], "build": build}
        for pk, build in states_of(by_pk.values()).items()
        if build.state in ("failed", "waiting", "unknown")
    ]
    if not rows:
        return SafeString("")
    return render_to_string("pipelines/_attention.html", {"rows": rows}, request)


PLACES: dict[str, Callable[[HttpRequest, Any], Panels]] = {
    "service_verdict": service_verdict,
    "service_builds": service_builds,
    "service_problems": service_problems,
    "catalog_row": catalog_row,
    "team_builds": team_builds,
    "home": home,
}
