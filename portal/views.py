"""The portal's own pages: home, health, and what stands where a page can't."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import requires_csrf_token
from django.views.decorators.http import require_safe

from portal.health import checks
from portal.templatetags.ui import collect_panels

# What home shows, in this order: broken and mine, waiting for me, started by me; then my teams.
HOME_PLACES = ("home", "home_teams")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What needs this person, from the panels of the rooms above."""
    found = (collect_panels(place, request, [request.user]) for place in HOME_PLACES)
    panels = [html for answer in found if (html := answer.get(request.user.pk))]
    return render(request, "portal/home.html", {"panels": panels})


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while Stagedoor itself runs, else 503; either way what does not work, in words.

    `ok` is about everything. The status is what takes a portal out of service, so nobody's broken
    source or CI server may change it.
    """
    found = checks()
    ok = all(check.ok for check in found)
    runs = all(check.ok for check in found if check.vital)
    body = {
        "ok": ok,
        "checks": [{"name": c.name, "ok": c.ok, "message": c.message} for c in found],
    }
    return JsonResponse(body, status=200 if runs else 503)


# --- Error pages -----------------------------------------------------------------------------
@requires_csrf_token
def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403 with the rule in words: a decision's (portal.guard.Denied) or the view's own sentence."""
    context = {"decision": getattr(exception, "decision", None), "sentence": _said(exception)}
    return render(request, "403.html", context, status=403)


@requires_csrf_token
def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, with a sentence where the view that raised it gave one."""
    return render(request, "404.html", {"sentence": _said(exception)}, status=404)


def _said(exception: Exception) -> str:
    """The sentence that our code gave the exception; Django's own hold other things or none."""
    given = exception.args[0] if exception.args else ""
    return given if isinstance(given, str) else ""


def server_error(request: HttpRequest) -> HttpResponse:
    """500 without touching the database, which may be what failed."""
    context = {"request_id": getattr(request, "request_id", "")}
    return HttpResponse(render_to_string("500.html", context), status=500)
