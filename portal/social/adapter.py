"""What allauth asks when somebody comes back from SAML, GitHub or Bitbucket.

The library proves who it is; here it becomes a person, by the provider's own id and never by an
e-mail address. There is no sign-up form: who may come in is known at once, with their groups.
"""

from typing import Any

import requests
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from portal import audit
from portal.egress import Egress, guarded_session
from portal.identities import create_user, set_names, users_of
from portal.models import Identity
from portal.signin import fail
from portal.signin_failure import SignInFailure
from portal.social.arrivals import NOT_A_MEMBER, Arrival, arrival_of
from portal.social.configuration import Door
from portal.social.link_mail import LINKED, tell
from portal.social.links import asked_for_link, forget_groups, note_arrival

TIMEOUT = 10  # seconds


class SocialAdapter(DefaultSocialAccountAdapter):
    """Named by SOCIALACCOUNT_ADAPTER."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False  # pre_social_login has made whoever may come in

    def get_requests_session(self) -> requests.Session:
        """The library's own questions go through the guard of outgoing requests, too."""
        egress = Egress(settings.OUTGOING_ALLOW)
        return guarded_session(egress, TIMEOUT, settings.OUTGOING_CA_BUNDLE)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        door = settings.SIGNIN_DOORS[sociallogin.provider.id]
        try:
            arrival = arrival_of(sociallogin, door)
            process = sociallogin.state.get("process")
            if process == AuthProcess.CONNECT:
                self.link(request, sociallogin, door, arrival)
            elif process == AuthProcess.LOGIN:
                self.let_in(request, sociallogin, door, arrival)
            else:
                raise SignInFailure("unknown_state", provider=door.label)
        except SignInFailure as failure:
            if failure.detail == NOT_A_MEMBER:
                forget_groups(request, sociallogin, door)
            raise ImmediateHttpResponse(fail(request, failure)) from None

    @transaction.atomic
    def let_in(
        self, request: HttpRequest, login: SocialLogin, door: Door, arrival: Arrival
    ) -> None:
        """The person of this account, made if need be; the library then signs them in.

        Whom the company's provider knows comes in by that alone: it is asked anew at each renewal,
        and what it gave would else outlive it behind another account.
        """
        issuer, subject = arrival.claims["iss"], arrival.claims["sub"]
        known = users_of(issuer, subject).first()
        linked = known is not None and known.identities.exclude(issuer=issuer).exists()
        if door.members_of and (linked or not settings.SOCIAL_SIGNIN):
            raise SignInFailure("link_only", provider=door.label)
        request.signin_forced = login.state.get("forced", False)  # type: ignore[attr-defined]
        user = known or create_user(arrival.claims)
        if not user.is_active:
            name = user.get_username()
            raise SignInFailure("inactive", username=name, provider=door.label)
        set_names(user, arrival.claims)
        note_arrival(request, user, door, arrival)
        if not login.is_existing or login.user != user:
            SocialAccount.objects.filter(
                provider=login.account.provider, uid=login.account.uid
            ).delete()
            login.account.pk = None
            login.connect(request, user)
        login.user = user

    @transaction.atomic
    def link(self, request: HttpRequest, login: SocialLogin, door: Door, arrival: Arrival) -> None:
        """Adds the account to the person who is signed in; the library checks whose it was."""
        if not isinstance(request.user, User) or not asked_for_link(request, door.provider):
            raise SignInFailure("unknown_state", provider=door.label)
        if not request.user.identities.exists():  # a local account would become the provider's
            raise SignInFailure("unknown_state", provider=door.label)
        issuer, subject = arrival.claims["iss"], arrival.claims["sub"]
        owner = users_of(issuer, subject).first()
        if owner is not None and owner != request.user:
            raise SignInFailure("taken", provider=door.label)
        if owner is None:
            Identity.objects.create(issuer=issuer, subject=subject, user=request.user)
            data = {"issuer": issuer, "subject": subject}
            audit.record("identity.link", user=request.user, request=request, data=data)
            tell(request, LINKED, door)
        note_arrival(request, request.user, door, arrival)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        """The library's error pages repeat what the provider said; ours says what to do."""
        door = settings.SIGNIN_DOORS.get(getattr(provider, "id", ""))
        detail = f"{error or 'error'} {type(exception).__name__ if exception else ''}".strip()
        if extra_context and extra_context.get("saml_errors"):
            detail = ", ".join(map(str, extra_context["saml_errors"]))
        failure = SignInFailure("refused", detail, provider=door.label if door else "")
        raise ImmediateHttpResponse(fail(request, failure))

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: SocialAccount) -> str:
        return reverse("portal:account")
