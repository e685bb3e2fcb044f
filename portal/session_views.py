"""The account's button that ends one's sessions in other browsers."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from portal.leaving import end_sessions
from portal.models import UserSession

WHY = "They signed out in other browsers."


@require_POST
def signout_elsewhere(request: HttpRequest) -> HttpResponse:
    """Ends all of my sessions but this one."""
    mine = UserSession.objects.filter(user=request.user)
    others = mine.exclude(session_key=request.session.session_key)
    number = end_sessions(others, why=WHY, by=request.user, request=request)  # type: ignore[arg-type]
    ended = {0: "You were signed in nowhere else.", 1: "One other session has ended."}
    messages.success(request, ended.get(number, f"{number} other sessions have ended."))
    return redirect("portal:account")
