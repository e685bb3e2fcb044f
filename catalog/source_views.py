"""The pages about sources: where the catalog comes from, how old it is, and what is wrong."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from catalog import guard, source_page, tasks
from catalog.models import Source
from catalog.sync_requests import ask, decide_for
from portal.fragments import render_either, wants_fragment
from portal.guard import Denied, actor_of, require
from portal.policy import Target

SOURCES = Target("the catalog's sources")


@require_safe
def source_list(request: HttpRequest) -> HttpResponse:
    """Every source with its state, its age and how much it brought."""
    require(request, "catalog.view", SOURCES)
    context = {"rows": source_page.rows(timezone.now()), "warnings": source_page.warnings()}
    return render(request, "catalog/source_list.html", context)


@require_safe
def source_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One source; htmx gets the part that changes while it is read."""
    require(request, "catalog.view", SOURCES)
    source = _source(slug)
    context = source_page.detail(source, timezone.now())
    context["release"] = guard.decide_for(actor_of(request), source)
    if not wants_fragment(request):
        context["decision"] = decide_for(actor_of(request), source)
        context |= source_page.about(source)
    return render_either(request, "catalog/source_detail.html", "catalog/_source_run.html", context)


@require_POST
def source_sync(request: HttpRequest, slug: str) -> HttpResponse:
    """Has the source read at once; its page shows how that goes."""
    return _ask(request, _source(slug))


@require_POST
def source_dry_run(request: HttpRequest, slug: str) -> HttpResponse:
    """Has the source read without changing anything; its page then shows what would change."""
    return _ask(request, _source(slug), dry_run=True)


@require_POST
def source_release(request: HttpRequest, slug: str) -> HttpResponse:
    """Lets go exactly the entities whose removal the person saw held back."""
    source = _source(slug)
    digest = request.POST.get("digest", "")[:64]
    run, decision = guard.release(source, digest, request.user, request)
    if not decision.allowed:
        raise Denied(decision)
    if run is None:
        sentence = "What is held back has changed since you looked. Nothing was let go; look again."
        messages.warning(request, sentence)
    else:
        tasks.sync_source.delay_on_commit(run.pk)
        messages.success(request, "They go with the reading that has just been asked for.")
    return redirect("catalog:source_detail", slug)


def _ask(request: HttpRequest, source: Source, *, dry_run: bool = False) -> HttpResponse:
    run, decision = ask(request.user, source, request, dry_run=dry_run)
    if run is None:
        raise Denied(decision)
    tasks.sync_source.delay_on_commit(run.pk)
    address = reverse("catalog:source_detail", args=[source.slug])
    return redirect(f"{address}#plan" if dry_run else address)


def _source(slug: str) -> Source:
    source = Source.objects.filter(slug=slug).select_related("registered_by").first()
    if source is None:
        raise Http404(f"There is no catalog source {slug}. It may have been deleted.")
    return source
