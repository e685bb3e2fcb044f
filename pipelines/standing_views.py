"""Pages of standing triggers: the list, setting one up, ending one."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from pipelines import standing_triggers
from pipelines.forms import TriggerForm
from pipelines.models import Environment, PipelineLink, StandingTrigger
from pipelines.queries import recent_branches
from pipelines.requesting import find_link
from pipelines.seen import seen_builds
from pipelines.standing_triggers import Wish
from portal.group_age import confirmations
from portal.guard import actor_of, found_or_404
from portal.policy import Target, decide

MAX_LISTED, MAX_ENDED = 500, 50
SET_UP = "Set up, in your name. It ends when you lose the right to it."


class StandingForm(TriggerForm):
    """A run, and when it is to happen by itself."""

    def __init__(self, link: PipelineLink, data: Any = None) -> None:
        super().__init__(link, data)
        self.fields.pop("commit", None)  # it is always the newest, or that of the build before
        self.fields["when"] = forms.ChoiceField(choices=StandingTrigger.When.choices, label="When")
        self.fields["cron"] = forms.CharField(
            required=False,
            max_length=100,
            label="Schedule",
            help_text='For a schedule, in UTC: "30 6 * * mon-fri" is 06:30 on working days.',
            widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
        )
        self.fields["after"] = forms.ModelChoiceField(
            Environment.objects.order_by("rank"),
            required=False,
            empty_label="None",
            label="Environment",
            help_text="For after an environment: a build of this service that was started from "
            "here has passed there. Its commit is taken.",
        )
        self.fields["note"] = forms.CharField(
            required=False, max_length=200, label="What for", widget=forms.TextInput()
        )


@require_safe
def standing_list(request: HttpRequest) -> HttpResponse:
    """What happens by itself: everybody's for whoever sees all builds, else one's own."""
    target = Target("other people's standing triggers")
    all_of_them = decide(actor_of(request), "build.view", target, now=timezone.now()).allowed
    rows = StandingTrigger.objects.select_related("owner", "entity", "pipeline__server", "after")
    if not all_of_them:
        rows = rows.filter(owner=request.user)
    live = list(rows.filter(ended_at=None)[:MAX_LISTED])
    confirmed = confirmations({item.owner_id for item in live})
    context = {
        "live": [(item, confirmed.get(item.owner_id)) for item in live],
        "ended": rows.exclude(ended_at=None).order_by("-ended_at")[:MAX_ENDED],
    }
    return render(request, "pipelines/standing_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def standing_create(request: HttpRequest, pk: int) -> HttpResponse:
    """Sets one up: a run's own choices, and when."""
    link = find_link(request, pk)
    form = StandingForm(link, request.POST if request.method == "POST" else None)
    page = "pipelines/standing_create.html"
    context = {"link": link, "form": form, "branches": recent_branches(link.pipeline)}
    if request.method != "POST":
        return render(request, page, context)
    if not form.is_valid():
        return render(request, page, context, status=422)
    chosen = {name: form.cleaned_data[name] for name in ("when", "cron", "after", "note")}
    wish = Wish(branch=form.branch, parameters=form.parameters, **chosen)
    outcome = standing_triggers.create(request.user, link, wish, request)
    if outcome.standing is not None:
        messages.success(request, SET_UP + _pauses(request.user.pk))
        return redirect("pipelines:standing_list")
    form.show(outcome.errors)
    status = 422 if outcome.decision.askable else 403
    return render(request, page, context | {"decision": outcome.decision}, status=status)


@require_POST
def standing_end(request: HttpRequest, pk: int) -> HttpResponse:
    """Ends one: its owner, or whoever settles requests of the service."""
    rows = StandingTrigger.objects.select_related("owner", "entity__source", "pipeline__server")
    seen = seen_builds(request).of_triggers()
    rows = rows.filter(seen | Q(owner=request.user.pk)) if seen else rows
    standing = found_or_404(
        rows, "There is no such standing trigger, or you may not see it.", pk=pk
    )
    if not standing_triggers.may_end(request.user, standing):
        messages.error(request, "Only its owner ends it, or who may settle requests here.")
    elif standing_triggers.end(
        standing, f"Ended on {timezone.now():%d %B}.", request.user, request
    ):
        messages.success(request, "It has ended.")
    return redirect("pipelines:standing_list")


def _pauses(user_id: int | None) -> str:
    """What keeps it going, where the person's groups count for a time only."""
    if not confirmations([user_id] if user_id else []):
        return ""
    return f" It pauses when you have not signed in for {settings.GROUPS_MAX_AGE_DAYS} days."
