"""The pages on which a person adds to the catalog: paste an address, look, register; or write."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog import register as registering
from catalog import tasks
from catalog.analyse import MAX_URL, Analysis, NotUsable
from catalog.pages import CATALOG
from catalog.register import REGISTER_TARGET, Refused, Trial, decide_for, try_out
from catalog.sources import SourceFailed
from catalog.starter import DescriptorForm, begin, draft_of, known_refs
from portal.fragments import render_either
from portal.guard import actor_of, require

SHOWN = 100


class AddressForm(forms.Form):
    """What a person pastes, and what the source shall be called."""

    url = forms.CharField(max_length=MAX_URL, required=False, strip=True)
    name = forms.CharField(max_length=100, required=False, strip=True)


@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    """The form to paste an address into; POST makes the source and has it read at once."""
    require(request, "catalog.view", CATALOG)
    if request.method != "POST":
        return _page(request, request.GET.get("url", "")[:MAX_URL])
    require(request, registering.ACTION, REGISTER_TARGET)
    form = AddressForm(request.POST)
    if not form.is_valid():
        return _page(request, request.POST.get("url", "")[:MAX_URL], _first_error(form))
    url, name = form.cleaned_data["url"], form.cleaned_data["name"]
    try:
        source, run = registering.register(url, request.user, request, name)  # type: ignore[arg-type]
    except NotUsable as refused:
        return _page(request, url, str(refused))
    except Refused as refused:
        if refused.source is None:
            return _page(request, url, str(refused))
        return redirect("catalog:source_detail", refused.source.slug)
    tasks.sync_source.delay_on_commit(run.pk)
    return redirect("catalog:source_detail", source.slug)


@require_POST
def register_preview(request: HttpRequest) -> HttpResponse:
    """What registering an address would do. A POST, since it lets the portal ask another host."""
    require(request, registering.ACTION, REGISTER_TARGET)
    form = AddressForm(request.POST)
    if not form.is_valid():
        return _page(request, request.POST.get("url", "")[:MAX_URL], _first_error(form))
    url = form.cleaned_data["url"]
    try:
        trial = try_out(url)
    except (NotUsable, SourceFailed) as refused:
        return _page(request, url, str(refused))
    return render(request, "catalog/register_preview.html", _shown(trial))


@require_safe
def register_descriptor(request: HttpRequest) -> HttpResponse:
    """A form that writes a descriptor to commit; htmx gets the text while a person types."""
    require(request, "catalog.view", CATALOG)
    data: dict[str, Any] = {key: value.replace("\x00", "") for key, value in request.GET.items()}
    begun = "kind" in data
    drawn_anew = request.headers.get("HX-Target") == "descriptor-form"
    if drawn_anew or not begun:
        data = begin(data)
    form = DescriptorForm(data)
    draft = draft_of(form.cleaned_data if form.is_valid() else begin({}))
    context = {"form": form, "draft": draft, "begun": begun and not drawn_anew}
    context |= {"lists": known_refs(), "register_url": _register_url(draft.page_url)}
    part = "_descriptor_form.html" if drawn_anew else "_descriptor_draft.html"
    return render_either(request, "catalog/register_descriptor.html", f"catalog/{part}", context)


def _page(request: HttpRequest, url: str, error: str = "") -> HttpResponse:
    context = {"url": url, "error": error, "decision": decide_for(actor_of(request))}
    return render(request, "catalog/register.html", context, status=422 if error else 200)


def _shown(trial: Trial) -> dict[str, Any]:
    plan = trial.plan
    context: dict[str, Any] = {"trial": trial, "analysis": trial.analysis, "plan": plan}
    if plan is not None:
        context["groups"] = [
            ("Would be added", plan.added[:SHOWN], plan.counts.get("added", 0)),
            ("Would be changed", plan.changed[:SHOWN], plan.counts.get("changed", 0)),
        ]
        context["conflicts"] = plan.conflicts[:SHOWN]
        context["issues"] = plan.issues[:SHOWN]
        context["issue_count"] = plan.counts.get("issues", 0)
    else:
        context["issues"] = [[i.location, i.line or 1, i.message] for i in trial.issues[:SHOWN]]
        context["issue_count"] = len(trial.issues)
    context["write_url"] = _write_url(trial.analysis, trial.branch)
    return context


def _write_url(analysis: Analysis, branch: str) -> str:
    """The form that writes a descriptor, filled in with what is known of the place."""
    known = {"branch": analysis.branch or branch, "path": analysis.path}
    if analysis.repository:
        last = analysis.repository.name.rpartition("/")[2].lower()
        known |= {"repository": analysis.repository.root, "name": last}
    query = urlencode({key: value for key, value in known.items() if value})
    return f"{reverse('catalog:register_descriptor')}?{query}"


def _register_url(page_url: str) -> str:
    query = f"?{urlencode({'url': page_url})}" if page_url else ""
    return f"{reverse('catalog:register')}{query}"


def _first_error(form: forms.Form) -> str:
    return " ".join(error for errors in form.errors.values() for error in errors)
