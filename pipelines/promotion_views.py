"""Promoting what a passed build made to a deployment target."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from pipelines.effects import effect_of
from pipelines.facts import facts_of
from pipelines.forms import PromoteForm
from pipelines.glass import way_out
from pipelines.models import Build, PipelineLink
from pipelines.requesting import ask, find_build, points_of, typed
from pipelines.targets import decide_effect
from portal.fragments import render_either
from portal.guard import actor_of


@require_http_methods(["GET", "HEAD", "POST"])
def build_promote(request: HttpRequest, pk: int) -> HttpResponse:
    """Where to, with which variables, what will happen, one button."""
    build, link = find_build(request, pk)
    form = PromoteForm(build.pipeline, typed(request))
    page = "pipelines/build_promote.html"
    if request.method == "POST":
        chosen = {"build": build, "target": form.target_name}
        return ask(
            request,
            "promote",
            form,
            link,
            page,
            lambda: _context(request, build, link, form),
            **chosen,
        )
    preview = "pipelines/_trigger_preview.html"
    return render_either(request, page, preview, _context(request, build, link, form))


def _context(
    request: HttpRequest, build: Build, link: PipelineLink, form: PromoteForm
) -> dict[str, Any]:
    pipeline = build.pipeline
    facts = facts_of(link.entity, [pipeline])
    target = form.target_name
    effect = effect_of(
        "promote", pipeline, "", form.parameters, subject=target, build=build, rules=facts.rules
    )
    actor = actor_of(request)
    decision = decide_effect(actor, "promote", pipeline, effect, facts, build=build)
    where = f" to {target}" if target else ""
    takes_effect = f", which takes effect in {effect.environment}" if effect.environment else ""
    return {
        "build": build,
        "link": link,
        "form": form,
        "targets": facts.rules.slugs,
        "decision": decision,
        "glass_url": way_out(actor, decision, effect.environment, facts) if target else "",
        "points": points_of(decision, link.entity, effect.environment) if target else [],
        "button": "Promote",
        "sentence": f"Promotes {build} of {link.entity}{where}{takes_effect}, in your name, "
        f"on {pipeline.server.name}."
        if target
        else "Choose where it is promoted to.",
        "undecided": not target,
    }
