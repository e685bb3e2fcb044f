"""What the pages that ask for a write share: whom and what they are about, and what follows."""

import uuid
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render

from catalog.models import Entity
from pipelines import tasks, triggers, turns
from pipelines.forms import RequestForm
from pipelines.models import Build, Environment, PipelineLink, Trigger
from pipelines.offers import may_see
from pipelines.queries import acting_link_seen
from pipelines.seen import seen_builds
from portal.guard import found_or_404
from portal.policy import Decision

# Said of what is hidden and of what is not there, so that neither tells the other.
NO_PIPELINE = "There is no such pipeline, or you may not see it."
NO_SERVICE = "There is no such service, or you may not see it."
NO_REQUEST = "There is no such request, or you may not see it."
NO_BUILD = "There is no such build, or you may not see it."
NOT_OURS = "This form is not one of ours. Go back and try again."


def find_link(request: HttpRequest, pk: int) -> PipelineLink:
    """A pipeline as a service's, where the person may see it."""
    related = ("pipeline__server", "entity__source")
    link = found_or_404(PipelineLink.objects.select_related(*related), NO_PIPELINE, pk=pk)
    if not may_see(request, [link.entity], pipeline=link.pipeline).allowed:
        raise Http404(NO_PIPELINE)
    return link


def find_build(request: HttpRequest, pk: int) -> tuple[Build, PipelineLink]:
    """A build, and as which service it is acted on, where the person may see it."""
    related = ("pipeline__server", "trigger__build__trigger")
    build = found_or_404(Build.objects.select_related(*related), NO_BUILD, pk=pk)
    rows = PipelineLink.objects.filter(pipeline=build.pipeline)
    links = list(rows.select_related("entity__source", "pipeline__server"))
    link = acting_link_seen(seen_builds(request), build, links)
    entities = [one.entity for one in links]
    if link is None or not may_see(request, entities, pipeline=build.pipeline).allowed:
        raise Http404(NO_BUILD)
    return build, link


def find_trigger(request: HttpRequest, request_id: uuid.UUID) -> Trigger:
    """A request of the person's own, or one about something that they may see."""
    related = (
        "pipeline__server",
        "entity__source",
        "environment__approver_role",
        "build",
        "started_build",
    )
    rows = Trigger.objects.select_related(*related)
    trigger = found_or_404(rows, NO_REQUEST, request_id=request_id)
    entities = [trigger.entity] if trigger.entity else []
    mine = trigger.actor_id == request.user.pk
    if not mine and not may_see(request, entities, pipeline=trigger.pipeline).allowed:
        raise Http404(NO_REQUEST)
    return trigger


def request_id_of(request: HttpRequest) -> uuid.UUID:
    """The id in a form without fields of its own. Raises Http404 when it is none."""
    try:
        return uuid.UUID(request.POST.get("request_id", ""))
    except ValueError:
        raise Http404(NOT_OURS) from None


def typed(request: HttpRequest) -> QueryDict | None:
    """What stands in the form, sent or only typed so far; None on a page that was just opened."""
    if request.method == "POST":
        return request.POST
    if not request.GET:
        return None
    data = request.GET.copy()
    data.setdefault("request_id", str(uuid.uuid4()))
    return data


def ask(  # noqa: PLR0917  the one way from a form to a trigger
    request: HttpRequest,
    action: str,
    form: RequestForm,
    link: PipelineLink,
    template: str,
    context: Callable[[], dict[str, Any]],
    **what: Any,
) -> HttpResponse:
    """Asks for what the form holds and leads to its page; else the form's own page once more, with
    what is to be mended or why it may not be asked for. `what` goes to triggers.request()."""
    if not form.is_valid():
        return render(request, template, context(), status=422)
    outcome = triggers.request(
        request.user,
        action,
        entity=link.entity,
        pipeline=link.pipeline,
        parameters=form.parameters,
        request_id=form.cleaned_data["request_id"],
        request=request,
        **what,
    )
    if outcome.trigger is not None:
        return follow(outcome)
    form.show(outcome.errors)
    if outcome.decision.askable:
        return render(request, template, context(), status=422)
    return render(request, template, context() | {"decision": outcome.decision}, status=403)


def points_of(decision: Decision, entity: Entity, environment: Environment | None) -> list[str]:
    """What besides is worth knowing before one asks."""
    glass = "You have broken the glass: no freeze and no missing approval stops this."
    broken = glass if decision.rule == "break-glass" else ""
    return [point for point in (broken, turns.warning(entity, environment)) if point]


def follow(outcome: triggers.Outcome) -> HttpResponse:
    """Lets a new trigger be sent, and leads to its page."""
    trigger = outcome.trigger
    assert trigger is not None  # noqa: S101  the callers have shown the other case
    if outcome.created and trigger.state == Trigger.State.QUEUED:
        tasks.dispatch.delay_on_commit(trigger.pk)
    return redirect("pipelines:trigger_detail", trigger.request_id)
