"""The demo provider's own pages; the sign-in page is allauth's view with our template."""

from typing import Any

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.demo_idp.people import PEOPLE


def company(request: HttpRequest) -> dict[str, Any]:
    """For every template: who can sign in, and where the portal is."""
    return {"people": PEOPLE, "portal_url": settings.PORTAL_URL}


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this is, for who comes here without the portal."""
    return render(request, "home.html")


@require_safe
def style(request: HttpRequest) -> FileResponse:
    """The one style sheet; this process has no static files otherwise."""
    return FileResponse((settings.BASE_DIR / "style.css").open("rb"), content_type="text/css")
