"""Accounts at other providers that a person adds to their own: only by a form of ours.

Somebody else's link must not tie an account of theirs to the reader's person. So a form marks the
session first, and the adapter takes no account for which the mark is missing. Whoever found an open
browser must not do it either, so the person has to have signed in lately; and they get a mail.
"""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from portal import recent_signin
from portal.models import Identity
from portal.social.configuration import DOOR_KEY
from portal.social.link_mail import UNLINKED, tell
from portal.social.links import ask_for_link, door_of, unlink


@never_cache
@require_POST
def account_link(request: HttpRequest, provider: str) -> HttpResponse:
    """Goes to the provider by a page of ours: a form may not lead to another host."""
    door = settings.SIGNIN_DOORS.get(provider)
    if door is None or not door.members_of or not request.user.identities.exists():
        raise Http404("Nobody links an account of this provider here.")
    if not recent_signin.is_recent(request):
        return _sign_in_again(request)
    ask_for_link(request, provider)
    url = reverse(door.url_name, args=door.url_args) + "?" + urlencode({"process": "connect"})
    response = render(request, "portal/account_link.html", {"provider": door.label, "url": url})
    response["Refresh"] = f"0; url={url}"
    return response


@never_cache
@require_POST
def account_unlink(request: HttpRequest, pk: int) -> HttpResponse:
    """Never the last one, and never one that could then sign in as somebody else."""
    identity = get_object_or_404(Identity, pk=pk, user=request.user)
    door = door_of(identity)
    others = Identity.objects.filter(user=request.user).exclude(pk=pk)
    if not others.exists():
        messages.error(request, "This is the only account that you sign in with.")
    elif settings.SOCIAL_SIGNIN:
        messages.error(request, "By itself it would be another person here; ask an administrator.")
    elif door is None:
        messages.error(request, "This account belongs to your company sign-in and stays.")
    elif not recent_signin.is_recent(request):
        return _sign_in_again(request)
    else:
        unlink(request, identity, door)
        tell(request, UNLINKED, door)
        messages.success(request, "The account is no longer linked.")
    return redirect("portal:account")


def _sign_in_again(request: HttpRequest) -> HttpResponse:
    door = settings.SIGNIN_DOORS.get(request.session.get(DOOR_KEY, {}).get("provider"))
    if door and door.members_of:
        messages.error(request, recent_signin.NEVER_ASKS.format(door.label))
        return redirect("portal:account")
    recent_signin.ask(request)
    return redirect("portal:signin_again")
