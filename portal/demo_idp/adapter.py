"""What the demo provider says about a person, and that nobody can register there."""

from collections.abc import Iterable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest

SUBJECT_PREFIX = "limelight-"


class AccountAdapter(DefaultAccountAdapter):
    """The people are those of people.py."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class OIDCAdapter(DefaultOIDCAdapter):
    """Adds groups and the person's place in the catalog to the standard claims."""

    scope_display = {**DefaultOIDCAdapter.scope_display, "groups": "See your groups"}

    def get_claims(
        self, purpose: Any, user: Any, client: Any, scopes: Iterable[str], **kwargs: Any
    ) -> dict[str, Any]:
        claims = super().get_claims(purpose, user, client, scopes, **kwargs)
        if "groups" in scopes:
            claims[settings.GROUPS_CLAIM] = sorted(user.groups.values_list("name", flat=True))
        if "profile" in scopes and settings.USER_REF_CLAIM:
            claims[settings.USER_REF_CLAIM] = f"user:default/{user.username}"
        return claims

    def get_user_sub(self, client: Any, user: Any) -> str:
        # Not the row's number: that would be somebody else's after the database was made anew.
        return f"{SUBJECT_PREFIX}{user.username}"

    def get_user_by_sub(self, client: Any, sub: str) -> User | None:
        if not sub.startswith(SUBJECT_PREFIX):
            return None
        name = sub.removeprefix(SUBJECT_PREFIX)
        return User.objects.filter(username=name, is_active=True).first()

    def populate_server_metadata(self, data: dict[str, Any]) -> None:
        data["scopes_supported"] = [*data.get("scopes_supported", []), "groups"]
