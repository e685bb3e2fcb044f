"""What pipelines add to the pages of the rooms below (hook `page_panels`)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from catalog.models import Entity
from catalog.people import teams_of
from pipelines import accounts, builds, tasks
from pipelines.awaiting import to_approve
from pipelines.facts import Facts
from pipelines.incidents import open_incidents
from pipelines.models import Build, LinkProblem, Pipeline, PipelineLink, Trigger, VendorAccount
from pipelines.offers import Offers, may_see
from pipelines.providers import PROVIDERS
from pipelines.queries import (
    OPEN_TRIGGERS,
    broken_since,
    last_good,
    links_of,
    newest_builds,
    newest_of_default_branch,
    settles_itself,
    states_of,
    triggers_of,
    worst,
)
from pipelines.seen import seen_builds
from pipelines.unsettled import to_settle
from portal.guard import actor_of
from portal.policy import Decision

Panels = dict[Any, SafeString]
# The first of each provider's, for those who have yet to write one.
ANNOTATION_KEYS = [adapter.annotation_keys[0] for adapter in PROVIDERS.values()]
BUILDS_SHOWN = 5
POLL_MOVING = 3  # seconds between two looks while something moves
POLL_FIRST = 1  # before the first look at a pipeline whose refresh was just asked for
POLL_SILENT = 15  # while the server does not answer, to see when it is back
MAX_ATTENTION = 200  # services of the person's teams that home looks at


@dataclass
class PipelineRow:
    """One pipeline of a service page: its builds, what is on its way, what may be done."""

    link: PipelineLink
    builds: list[Build]
    run: Decision
    environment: str
    pending: list[Trigger]
    unread: bool
    activate: Decision | None = None  # None: it is switched on
    glass_url: str = ""

    @property
    def pipeline(self) -> Pipeline:
        return self.link.pipeline

    @property
    def last(self) -> Build | None:
        return newest_of_default_branch(self.pipeline, self.builds)

    @property
    def poll_seconds(self) -> int:
        """Until the next look; 0 when nothing moves and the server answers."""
        moving = any(not build.is_final for build in self.builds)
        moving |= any(settles_itself(trigger) for trigger in self.pending)
        if self.unread or moving:
            return POLL_FIRST if self.unread else POLL_MOVING
        return POLL_SILENT if self.pipeline.server.unreachable_since else 0


@dataclass(frozen=True)
class ServiceDesk:
    """What one person sees of one service's pipelines, read once for all panels of a page."""

    seen: Decision
    rows: list[PipelineRow]
    facts: Facts | None = None  # not read where there is no pipeline


def page_panels(place: str, request: HttpRequest, objects: Sequence[Any]) -> Panels:
    """Hook: the html of each object for this place; places that are not ours get nothing."""
    panel = PLACES.get(place)
    return panel(request, objects) if panel else {}


def desk_of(request: HttpRequest, entity: Entity) -> ServiceDesk:
    """The desk, read once per request; asks for a refresh of what is stale."""
    desks: dict[int, ServiceDesk] | None = getattr(request, "pipelines_desks", None)
    if desks is None:
        desks = request.pipelines_desks = {}  # type: ignore[attr-defined]
    if entity.pk not in desks:
        desks[entity.pk] = _desk(request, entity)
    return desks[entity.pk]


def _desk(request: HttpRequest, entity: Entity) -> ServiceDesk:
    links = links_of(entity)
    if not links and (seen := may_see(request, [entity])).allowed:
        return ServiceDesk(seen, [])  # without the facts that only decide about pipelines
    offers = Offers(actor_of(request), entity, [link.pipeline for link in links])
    seen = offers.see()
    rows = pipeline_rows(offers, links) if seen.allowed else []
    return ServiceDesk(seen, rows, offers.facts)


def pipeline_rows(offers: Offers, links: Sequence[PipelineLink]) -> list[PipelineRow]:
    """The rows of an entity's links, newest builds first; four queries for all of them."""
    pipelines = [link.pipeline for link in links]
    stale = ask_for(pipelines)
    newest = newest_builds([pipeline.pk for pipeline in pipelines], BUILDS_SHOWN)
    pending: dict[int, list[Trigger]] = {}
    for trigger in Trigger.objects.filter(pipeline__in=pipelines, state__in=OPEN_TRIGGERS):
        pending.setdefault(trigger.pipeline_id, []).append(trigger)
    accounts.tell(chain.from_iterable(newest.values()))
    for build in chain.from_iterable(newest.values()):
        # A passed build can be run again from its own page; here it would only be clutter.
        build.actions = [] if build.state == "passed" else offers.on_build(build)
    runs = {link.pk: offers.run(link.pipeline) for link in links}
    return [
        PipelineRow(
            link=link,
            builds=newest[link.pipeline_id],
            run=runs[link.pk],
            glass_url=offers.way_out(link.pipeline, runs[link.pk]),
            environment=offers.environment(link.pipeline),
            pending=pending.get(link.pipeline_id, []),
            unread=link.pipeline_id in stale,
            activate=offers.activate(link.pipeline),
        )
        for link in links
    ]


def ask_for(pipelines: Iterable[Pipeline]) -> set[int]:
    """Says that somebody looks at these; the ids of those that a worker will read, once for all."""
    stale = set(builds.want(pipelines, timezone.now()))
    for pipeline_id in stale:
        tasks.refresh.delay_on_commit(pipeline_id)
    return stale


# --- Service page ----------------------------------------------------------------------------
def service_verdict(request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    """State, owner, last run and what you may do, for a glance."""
    return {entity.pk: verdict(request, entity) for entity in objects}


def verdict(request: HttpRequest, entity: Entity) -> SafeString:
    """The strip of one entity; also the answer when it asks for itself again."""
    desk = desk_of(request, entity)
    state = worst(row.last for row in desk.rows if row.last is not None)
    every = chain.from_iterable(row.builds for row in desk.rows)
    runnable = [row.link for row in desk.rows if row.run.askable]
    soonest = min((row.poll_seconds for row in desk.rows if row.poll_seconds), default=0)
    context = {
        "entity": entity,
        "seen": desk.seen,
        "rows": desk.rows,
        "state": state,
        "broken": _broken(state),
        "newest": max(every, key=lambda build: build.queued_at, default=None),
        "runnable": runnable,
        "switchable": [row.link for row in desk.rows if row.activate and row.activate.askable],
        "denied": desk.rows[0].run if desk.rows and not runnable else None,
        "poll": max(POLL_MOVING, soonest) if soonest else 0,
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
        rows = desk_of(request, entity).rows
        if rows or entity.kind == "Component":
            context = {
                "entity": entity,
                "rows": rows,
                "annotation_keys": ANNOTATION_KEYS,
                "incidents": open_incidents(entity) if rows else [],
            }
            found[entity.pk] = render_to_string("pipelines/_pipelines.html", context, request)
    return found


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
    """One state for each entity that has builds that the person may see; two queries for them all,
    and one for who does not see everything."""
    objects = seen_builds(request).entities.shown(objects)
    return {
        pk: render_to_string("pipelines/_row_state.html", {"build": build}, request)
        for pk, build in states_of(objects).items()
    }


def team_builds(request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    """What is broken or waiting among the services that a team owns."""
    return {team.pk: html for team in objects if (html := _attention(request, [team.ref]))}


def home(request: HttpRequest, objects: Sequence[Any]) -> Panels:
    """What is broken or waiting and mine, and what I asked for."""
    if seen_builds(request).nothing:
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
        open_requests = _open_requests(request)
        if attention or mine or open_requests:
            found[user.pk] = SafeString(open_requests + attention + mine)
    return found


def _open_requests(request: HttpRequest) -> SafeString:
    """That requests wait for this person's word, where there are any."""
    actor = actor_of(request)
    counts = {
        "pipelines/_to_approve.html": to_approve(actor),
        "pipelines/_open_requests.html": to_settle(actor),
    }
    shown = [render_to_string(page, {"count": n}, request) for page, n in counts.items() if n]
    return SafeString("".join(shown))


def account(request: HttpRequest, objects: Sequence[Any]) -> Panels:
    """Which accounts on CI servers are this person's."""
    found: Panels = {}
    for user in objects:
        mine = VendorAccount.objects.filter(user=user).select_related("server")
        rows = list(mine.order_by("server__name", "account_id"))
        if rows:
            context = {"accounts": rows}
            found[user.pk] = render_to_string("pipelines/_accounts.html", context, request)
    return found


def _attention(request: HttpRequest, team_refs: Iterable[str]) -> SafeString:
    seen = seen_builds(request).entities.entities()
    owned = seen.filter(owner_ref__in=list(team_refs), state=Entity.State.ACTIVE)
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
    "account": account,
}
