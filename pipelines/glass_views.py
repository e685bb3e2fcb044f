"""The pages of freezes and of broken glass: what is in force, what was done, what to review."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.models import Entity
from pipelines import freezes, glass, tasks
from pipelines.facts import facts_of
from pipelines.freezes import not_over
from pipelines.glass_form import GlassForm, ReviewForm
from pipelines.models import BrokenGlass, Environment, Trigger
from pipelines.offers import may_see
from pipelines.requesting import NO_SERVICE
from pipelines.seen import seen_builds
from pipelines.unsettled import may_list
from portal.guard import actor_of, found_or_404, require
from portal.policy import Decision, Target

MAX_LISTED = 200
NO_ENVIRONMENT = "There is no such environment."
NO_GLASS = "There is no such broken glass, or you may not see it."


@require_safe
def freeze_list(request: HttpRequest) -> HttpResponse:
    """What is frozen, and what will be, of what the person may see."""
    if not may_list(actor_of(request)):
        require(request, "build.view", Target("freezes"))
    now = timezone.now()
    found = freezes.shown(not_over(now), seen_builds(request))
    context = {
        "current": [one for one in found if freezes.is_in_force(one, now)],
        "coming": [one for one in found if one.starts_at > now],
    }
    return render(request, "pipelines/freeze_list.html", context)


@require_safe
def glass_list(request: HttpRequest) -> HttpResponse:
    """All broken glass of what the person may see: open, to review, reviewed."""
    if not may_list(actor_of(request)):
        require(request, "build.view", Target("broken glass"))
    now = timezone.now()
    seen = seen_builds(request)
    every = _rows() if seen.everything else _rows().filter(entity__in=seen.entities.entities())
    rows = every.order_by("-starts_at")[:MAX_LISTED]
    unreviewed = [one for one in rows if one.reviewed_at is None]
    context = {
        "open": [one for one in unreviewed if glass.is_open(one, now)],
        "waiting": [one for one in unreviewed if not glass.is_open(one, now)],
        "reviewed": [one for one in rows if one.reviewed_at is not None],
        "now": now,
    }
    return render(request, "pipelines/glass_list.html", context)


def _rows() -> QuerySet[BrokenGlass]:
    return BrokenGlass.objects.select_related(
        "entity__source", "environment__approver_role", "by", "reviewer"
    )


def _may_see(request: HttpRequest, entity: Entity | None) -> bool:
    return may_see(request, [entity] if entity else []).allowed


@require_http_methods(["GET", "HEAD", "POST"])
def glass_break(request: HttpRequest, pk: int, environment: str) -> HttpResponse:
    """What it means, the reason, the incident, the minutes; one button."""
    entity = found_or_404(Entity.objects.select_related("source"), NO_SERVICE, pk=pk)
    if not _may_see(request, entity):
        raise Http404(NO_SERVICE)
    place = found_or_404(Environment.objects.all(), NO_ENVIRONMENT, slug=environment)
    form = GlassForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        return _ask(request, entity, place, form)
    done = glass.break_glass(request.user, entity, place, form.asked, request)
    if done.glass is None:
        return _ask(request, entity, place, form, done.decision)
    if done.created:
        tasks.tell_of_glass.delay_on_commit(done.glass.pk)
    return redirect("pipelines:glass_detail", done.glass.pk)


def _ask(
    request: HttpRequest,
    entity: Entity,
    environment: Environment,
    form: GlassForm,
    denied: Decision | None = None,
) -> HttpResponse:
    facts, now = facts_of(entity, []), timezone.now()
    actor = actor_of(request)
    context = {
        "entity": entity,
        "environment": environment,
        "form": form,
        "decision": denied or glass.may_break(actor, environment, facts),
        "overdue": glass.overdue_of((*facts.glass, *facts.earlier_glass), now),
        "open": facts.open_glass(actor.user_id, [environment.slug], now),
        "within": glass.REVIEW_WITHIN,
    }
    status = 403 if denied else 422 if form.is_bound else 200
    return render(request, "pipelines/glass_break.html", context, status=status)


@require_safe
def glass_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What was done under it, and what a second person says of it."""
    return _show(request, _find(request, pk), ReviewForm())


@require_POST
def glass_close(request: HttpRequest, pk: int) -> HttpResponse:
    """Ends it before its time."""
    refusal = glass.close(request.user, _find(request, pk), request)
    if refusal:
        messages.error(request, f"It can't be closed: {refusal}")
    else:
        messages.success(request, "Closed. The usual rules hold again.")
    return redirect("pipelines:glass_detail", pk)


@require_POST
def glass_review(request: HttpRequest, pk: int) -> HttpResponse:
    """Takes a second person's word on it."""
    found, form = _find(request, pk), ReviewForm(request.POST)
    if not form.is_valid():
        return _show(request, found, form, status=422)
    given = form.cleaned_data
    justified = given["verdict"] == "yes"
    refusal = glass.review(
        request.user, found, justified=justified, comment=given["comment"], request=request
    )
    if refusal:
        messages.error(request, f"Your review was not recorded: {refusal}")
    else:
        messages.success(request, "Reviewed, with your name.")
    return redirect("pipelines:glass_detail", pk)


def _find(request: HttpRequest, pk: int) -> BrokenGlass:
    """Of the person's own, or of what they may see."""
    found = found_or_404(_rows(), NO_GLASS, pk=pk)
    if found.by_id != request.user.pk and not _may_see(request, found.entity):
        raise Http404(NO_GLASS)
    return found


def _show(
    request: HttpRequest, found: BrokenGlass, form: ReviewForm, status: int = 200
) -> HttpResponse:
    actor, now = actor_of(request), timezone.now()
    facts = facts_of(found.entity, [])
    done = Trigger.objects.filter(glass=found).select_related(
        "pipeline", "entity", "started_build", "build"
    )
    context: dict[str, Any] = {
        "glass": found,
        "open": glass.is_open(found, now),
        "overdue": glass.is_overdue(found, now),
        "closable": glass.is_open(found, now) and glass.may_close(actor, found, facts).allowed,
        "review": glass.may_review(actor, found, facts),
        "form": form,
        "triggers": list(done.order_by("pk")[:MAX_LISTED]),
    }
    return render(request, "pipelines/glass_detail.html", context, status=status)
