"""Builds: a pipeline's fragment, the list over all servers, one build with its steps and log."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from catalog.models import Entity
from pipelines import accounts, logs
from pipelines.approvers import given
from pipelines.gates import gates_shown
from pipelines.models import STATES, Build, PipelineLink
from pipelines.offers import Offers, may_see
from pipelines.panels import ask_for, desk_of, pipeline_rows, verdict
from pipelines.providers.base import Step
from pipelines.providers.errors import ProviderError
from pipelines.queries import acting_link_seen
from pipelines.queries import build_list as listed
from pipelines.requesting import NO_BUILD, NO_PIPELINE, NO_SERVICE
from pipelines.seen import seen_builds, seen_builds_or_denied
from portal.access import display_name
from portal.fragments import render_either
from portal.guard import Denied, actor_of, found_or_404
from portal.policy import Decision

PER_PAGE = 50


class NewestFirst(Paginator):
    """Counts no further than one build behind the page that is shown: builds are kept for good,
    and everybody who looks would count them all every few seconds."""

    shown = 1

    @cached_property
    def count(self) -> int:
        return int(self.object_list[: self.shown * self.per_page + 1].count())


@require_safe
def pipeline(request: HttpRequest, pk: int) -> HttpResponse:
    """One linked pipeline with its newest builds: the fragment of a service page, again."""
    rows = PipelineLink.objects.select_related("pipeline__server", "entity__source")
    link = found_or_404(rows, NO_PIPELINE, pk=pk)
    offers = Offers(actor_of(request), link.entity, [link.pipeline])
    if not offers.see().allowed:
        raise Http404(NO_PIPELINE)
    row = pipeline_rows(offers, [link])[0]
    return render(request, "pipelines/_pipeline.html", {"row": row})


@require_safe
def service_verdict(request: HttpRequest, pk: int) -> HttpResponse:
    """The verdict strip of a service page, again."""
    entity = found_or_404(Entity.objects.select_related("source"), NO_SERVICE, pk=pk)
    if not desk_of(request, entity).seen.allowed:
        raise Http404(NO_SERVICE)
    return HttpResponse(verdict(request, entity))


@require_safe
def build_list(request: HttpRequest) -> HttpResponse:
    """Builds over all servers, newest first, by state or by "mine"."""
    seen = seen_builds_or_denied(request, "builds")
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    mine = "mine" in request.GET
    found = listed(seen, state=state, mine=request.user.pk if mine else None)
    pages = NewestFirst(found, PER_PAGE)
    pages.shown = max(1, _number(request, "page", 1))
    page = pages.get_page(pages.shown)
    builds_shown = list(page.object_list)
    ask_for({build.pipeline for build in builds_shown})
    accounts.tell(builds_shown)
    context = {
        "page": page,
        "sees_all": seen.everything,
        "filtered": bool(state or mine),
        "filters": _filters(state, mine),
        "moving": any(not build.is_final for build in builds_shown),
    }
    return render_either(
        request, "pipelines/build_list.html", "pipelines/_build_list.html", context
    )


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
    build, links = _build(request, pk)
    context = _about(request, build, links)
    if context["may_read_log"].allowed:
        context |= _log(request, build, context["steps"], context["steps_error"])
    return render(request, "pipelines/build_detail.html", context)


@require_safe
def build_status(request: HttpRequest, pk: int) -> HttpResponse:
    """The head and steps of a build that moves, and its gates where they changed."""
    build, links = _build(request, pk)
    context = _about(request, build, links)
    context["draw_gates"] = request.GET.get("gates", "") != context["gates"].key
    return render(request, "pipelines/_build.html", context)


@require_safe
def build_log(request: HttpRequest, pk: int) -> HttpResponse:
    """The lines that follow `?offset=&line=`: htmx puts them where it was told to wait."""
    build, links = _build(request, pk)
    _require_log(request, build, links)
    context = _log(request, build, *_steps(build))
    return render(request, "pipelines/_build_log.html", {"build": build, **context})


@require_safe
def build_log_export(request: HttpRequest, pk: int) -> HttpResponse:
    """The log as a text file that says whose build it is."""
    build, links = _build(request, pk)
    _require_log(request, build, links)
    steps, error = _steps(build)
    step = logs.step_to_show(steps, request.GET.get("step", ""))
    try:
        if error:
            raise Http404(error)
        text = logs.export(build, step.log_id if step else "")
    except ProviderError as problem:
        raise Http404(str(problem)) from None
    name = slugify(f"{build.pipeline.name}-{build.number or build.pk}-{step.name if step else ''}")
    head = logs.log_head(build, step.name if step else "", _named(request, links))
    return HttpResponse(
        f"{head}\n{text}",
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.log"'},
    )


def _build(request: HttpRequest, pk: int) -> tuple[Build, list[PipelineLink]]:
    """The build and the links of its pipeline, where the person may see it."""
    related = ("pipeline__server", "trigger__environment", "trigger__build__trigger")
    build = found_or_404(Build.objects.select_related(*related), NO_BUILD, pk=pk)
    links = PipelineLink.objects.filter(pipeline=build.pipeline).select_related(
        "entity__source", "pipeline__server"
    )
    if not _may_see(request, build, links).allowed:
        raise Http404(NO_BUILD)
    return build, list(links)


def _named(request: HttpRequest, links: Iterable[PipelineLink]) -> list[Entity]:
    """The services that the person may see: others may share the pipeline."""
    return [link.entity for link in seen_builds(request).links(links)]


def _require_log(request: HttpRequest, build: Build, links: Iterable[PipelineLink]) -> None:
    """Who sees the build is told why they may not read its log."""
    decision = _may_see(request, build, links, "log.view")
    if not decision.allowed:
        raise Denied(decision)


def _may_see(
    request: HttpRequest,
    build: Build,
    links: Iterable[PipelineLink],
    permission: str = "build.view",
) -> Decision:
    entities = [link.entity for link in links]
    return may_see(request, entities, permission, pipeline=build.pipeline)


def _about(request: HttpRequest, build: Build, links: list[PipelineLink]) -> dict[str, Any]:
    """What a build's page shows apart from the log."""
    ask_for({build.pipeline})
    accounts.tell([build])
    may_read_log = _may_see(request, build, links, "log.view")
    steps, steps_error = _steps(build)
    wanted = request.GET.get("step", "")
    link = acting_link_seen(seen_builds(request), build, links)
    offers = Offers(actor_of(request), link.entity, [build.pipeline]) if link else None
    build.actions = offers.on_build(build) if offers else []
    return {
        "build": build,
        "approvers": _approvers(build),
        "refused": offers.refused(build) if offers else [],
        "gates": gates_shown(build, offers),
        "entities": _named(request, links),
        "steps": steps,
        "step": logs.step_to_show(steps, wanted) if may_read_log.allowed else None,
        "steps_error": steps_error,
        "trouble": steps_error or build.pipeline.builds_error,
        "may_read_log": may_read_log,
    }


def _approvers(build: Build) -> list[str]:
    """Who agreed to it, by name."""
    trigger = build.trigger
    if trigger is None or not trigger.approvals_needed:
        return []
    return [display_name(word.approver) for word in given(trigger)]


def _steps(build: Build) -> tuple[list[Step], str]:
    """The steps, or why they can't be read."""
    try:
        return logs.steps_of(build), ""
    except ProviderError as error:
        return [], str(error)


def _log(request: HttpRequest, build: Build, steps: list[Step], steps_error: str) -> dict[str, Any]:
    """The log's page at `?step=&offset=&line=`; none when no step of an ended build has a log.

    What can't be read, or is not there yet, is an empty page, so that whoever follows goes on where
    they stood.
    """
    wanted = request.GET.get("step", "")
    step = logs.step_to_show(steps, wanted)
    step_id = step.id if step else wanted
    offset = logs.offset_of(build, step_id, request.GET.get("offset", ""))
    # Of an address that is not ours nothing counts.
    line = max(1, _number(request, "line", 1)) if offset else 1
    fold = _number(request, "fold", 0) if offset else 0
    found: dict[str, Any] = {"step": step, "step_id": step_id}
    none_yet = step is None and bool(steps)
    if none_yet and build.is_final:
        return found
    page = logs.LogPage([], next_offset=offset, next_line=line, done=build.is_final)
    problem = steps_error
    if not problem and not none_yet:
        try:
            page = logs.read(build, step.log_id if step else "", offset, line, fold)
        except ProviderError as error:
            problem = str(error)
    mark = logs.mark_of(build, step_id, page.next_offset)
    return found | {"page": page, "next_mark": mark, "log_error": problem}


def _number(request: HttpRequest, name: str, default: int) -> int:
    word = request.GET.get(name, "")
    return int(word) if word.isascii() and word.isdigit() and len(word) < 16 else default
