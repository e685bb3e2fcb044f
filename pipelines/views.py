"""Builds: a pipeline's fragment, the list over all servers, one build with its steps and log."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from catalog.models import Entity
from pipelines import builds, logs, tasks
from pipelines.models import STATES, Build, PipelineLink, Server
from pipelines.offers import Offers, may_see
from pipelines.panels import pipeline_rows, verdict
from pipelines.providers.base import ProviderError, Step
from pipelines.queries import MOVING
from pipelines.queries import build_list as listed
from portal.guard import actor_of, require
from portal.policy import Target

PER_PAGE = 50
EVERYTHING = Target("builds", frozenset({("everything", "")}))


@require_safe
def pipeline(request: HttpRequest, pk: int) -> HttpResponse:
    """One linked pipeline with its newest builds: the fragment of a service page, again."""
    link = get_object_or_404(
        PipelineLink.objects.select_related("pipeline__server", "entity__source"), pk=pk
    )
    offers = Offers(actor_of(request), link.entity, [link.pipeline])
    if not offers.see().allowed:
        raise Http404("There is no such pipeline, or you may not see it.")
    row = pipeline_rows(offers, [link])[0]
    return render(request, "pipelines/_pipeline.html", {"row": row})


@require_safe
def service_verdict(request: HttpRequest, pk: int) -> HttpResponse:
    """The verdict strip of a service page, again."""
    entity = get_object_or_404(Entity.objects.select_related("source"), pk=pk)
    if not may_see(request, [entity]).allowed:
        raise Http404("There is no such service, or you may not see it.")
    return HttpResponse(verdict(request, entity))


@require_safe
def build_list(request: HttpRequest) -> HttpResponse:
    """Builds over all servers, newest first, by state or by "mine"."""
    require(request, "build.view", EVERYTHING)
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    mine = "mine" in request.GET
    found = listed(state=state, mine=request.user.pk if mine else None)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    builds_shown = list(page.object_list)
    _ask_for({build.pipeline for build in builds_shown})
    context = {
        "page": page,
        "builds": builds_shown,
        "filtered": bool(state or mine),
        "filters": _filters(state, mine),
        "moving": any(build.state in MOVING for build in builds_shown),
        "unreachable": Server.objects.filter(enabled=True, unreachable_since__isnull=False),
    }
    template = "_build_list" if request.htmx else "build_list"
    response = render(request, f"pipelines/{template}.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _filters(state: str, mine: bool) -> list[dict[str, Any]]:
    url = reverse("pipelines:build_list")
    shown = [("All", {}), ("Started by me", {"mine": "1"})]
    shown += [(word.capitalize(), {"state": word}) for word in ("failed", "running", "waiting")]
    now = {"mine": "1"} if mine else {"state": state} if state else {}
    return [
        {
            "label": label,
            "url": f"{url}?{urlencode(query)}" if query else url,
            "current": query == now,
        }
        for label, query in shown
    ]


@require_safe
def build_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One build: what it is, its steps, and the log of the step that matters."""
    build, entities = _build(request, pk)
    may_read_log = may_see(request, entities, "log.view")
    context = _about(request, build, entities, may_read_log.allowed)
    if may_read_log.allowed:
        context |= _log(build, context["step"], context["has_steps"])
    return render(request, "pipelines/build_detail.html", context | {"may_read_log": may_read_log})


@require_safe
def build_status(request: HttpRequest, pk: int) -> HttpResponse:
    """The head and steps of a build that moves."""
    build, entities = _build(request, pk)
    may_read_log = may_see(request, entities, "log.view")
    context = _about(request, build, entities, may_read_log.allowed)
    return render(request, "pipelines/_build.html", context | {"may_read_log": may_read_log})


@require_safe
def build_log(request: HttpRequest, pk: int) -> HttpResponse:
    """The lines that follow `?offset=&line=`: htmx puts them where it was told to wait."""
    build, entities = _build(request, pk)
    if not may_see(request, entities, "log.view").allowed:
        raise Http404("There is no such log, or you may not read it.")
    steps, _ = _steps(build)
    step = logs.step_to_show(steps, request.GET.get("step", ""))
    offset, line = _number(request, "offset", 0), _number(request, "line", 1)
    context = {"build": build, **_log(build, step, bool(steps), offset, max(1, line))}
    return render(request, "pipelines/_build_log.html", context)


def _build(request: HttpRequest, pk: int) -> tuple[Build, list[Entity]]:
    """The build and the entities that it belongs to, where the person may see it."""
    related = ("pipeline__server", "trigger__environment")
    build = get_object_or_404(Build.objects.select_related(*related), pk=pk)
    links = PipelineLink.objects.filter(pipeline=build.pipeline).select_related("entity")
    entities = [link.entity for link in links]
    if not may_see(request, entities).allowed:
        raise Http404("There is no such build, or you may not see it.")
    return build, entities


def _about(
    request: HttpRequest, build: Build, entities: list[Entity], may_read_log: bool
) -> dict[str, Any]:
    _ask_for({build.pipeline})
    steps, trouble = _steps(build)
    link = PipelineLink.objects.filter(pipeline=build.pipeline).select_related(
        "entity__source", "pipeline__server"
    )
    wanted = build.trigger.entity_id if build.trigger else None
    chosen = min(
        link, key=lambda one: (one.entity_id != wanted, one.status != "confirmed"), default=None
    )
    build.actions = []
    if chosen is not None:
        offers = Offers(actor_of(request), chosen.entity, [build.pipeline])
        build.actions = offers.on_build(build)
    return {
        "build": build,
        "entities": entities,
        "steps": steps,
        "has_steps": bool(steps),
        "step": logs.step_to_show(steps, request.GET.get("step", "")) if may_read_log else None,
        "trouble": trouble or build.pipeline.builds_error,
    }


def _steps(build: Build) -> tuple[list[Step], str]:
    try:
        return logs.steps_of(build), ""
    except ProviderError as error:
        return [], str(error)


def _log(
    build: Build, step: Step | None, has_steps: bool, offset: int = 0, line: int = 1
) -> dict[str, Any]:
    """A page of the log; none when the build has steps and none of them has a log yet."""
    if step is None and has_steps:
        return {"page": None, "step": None}
    try:
        page = logs.read(build, step.log_id if step else "", offset, line)
    except ProviderError as error:
        return {"page": None, "step": step, "log_error": str(error)}
    return {"page": page, "step": step}


def _ask_for(pipelines: set[Any]) -> None:
    """Says that somebody looks; what is stale is read by a worker, once for all viewers."""
    for stale in builds.want(pipelines, timezone.now()):
        tasks.refresh.delay_on_commit(stale)


def _number(request: HttpRequest, name: str, default: int) -> int:
    word = request.GET.get(name, "")
    return int(word) if word.isascii() and word.isdigit() and len(word) < 16 else default
