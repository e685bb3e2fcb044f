"""What SAML, GitHub or Bitbucket say of a person who has just signed in there: who, which groups.

What an attribute is called is configured; what GitHub and Bitbucket know is asked with the very
token of this sign-in, which is not kept.
"""

from dataclasses import dataclass, field
from typing import Any

from allauth.socialaccount.models import SocialLogin

from portal.http import HttpError
from portal.memberships import usable
from portal.signin_failure import SignInFailure
from portal.social.configuration import BITBUCKET, GITHUB, Door
from portal.social.paging import BITBUCKET_API, NotRead, github_api, paged
from portal.social.saml_groups import saml_groups

NOT_A_MEMBER = "belongs to none of the organisations that may sign in"


@dataclass(frozen=True)
class Arrival:
    """`claims` has the names of OpenID Connect."""

    claims: dict[str, Any]
    groups: list[str] = field(default_factory=list)  # without the prefix


def arrival_of(login: SocialLogin, door: Door) -> Arrival:
    """Raises SignInFailure where the person may not come in, or the groups can't be had."""
    data, user = login.account.extra_data, login.user
    told = data if isinstance(data, dict) else {}
    claims = {
        "iss": door.issuer,
        "sub": str(login.account.uid),
        "preferred_username": user.username or told.get("nickname", ""),
        "given_name": user.first_name,
        "family_name": user.last_name,
        "email": user.email,
    }
    if door.provider == GITHUB:
        groups = github_groups(login.token.token, door)
    elif door.provider == BITBUCKET:
        groups = bitbucket_groups(login.token.token, door)
    else:
        claims = {**told, **claims}
        groups = saml_groups(told).names(door.prefix)
    if door.members_of and not {group.partition("/")[0] for group in groups} & {*door.members_of}:
        raise SignInFailure("refused", NOT_A_MEMBER, provider=door.label)
    return Arrival(claims, [name for name in groups if usable(name, door.prefix)])


def github_groups(token: str, door: Door) -> list[str]:
    """Names of organisations and "organisation/team", of the organisations that count here.

    GET /user/memberships/orgs and /user/teams (REST API 2022-11-28) with the scope read:org. An
    organisation that restricts OAuth apps is left out by GitHub without a word.
    """
    found = {
        str(item["organization"]["login"]).lower()
        for item in _asked(github_api(door), "/user/memberships/orgs?state=active", token, door)
    }
    teams = [
        f"{str(item['organization']['login']).lower()}/{item['slug']}"
        for item in _asked(github_api(door), "/user/teams", token, door)
    ]
    return sorted(name for name in {*found, *teams} if name.partition("/")[0] in door.members_of)


def bitbucket_groups(token: str, door: Door) -> list[str]:
    """The workspaces that the person belongs to; groups in them only an administrator can read.

    GET /2.0/user/workspaces (scope account); the older lists are gone since April 2026.
    """
    values = _asked(BITBUCKET_API, "/2.0/user/workspaces", token, door)
    found = {str(item["workspace"]["slug"]).lower() for item in values}
    return sorted(found & {*door.members_of})


def _asked(api: str, path: str, token: str, door: Door) -> list[dict[str, Any]]:
    """All items of a list. Raises SignInFailure: half of somebody's groups is no answer."""
    try:
        return paged(api, path, token)
    except (HttpError, NotRead, KeyError, TypeError) as error:
        detail = (
            f"asked for groups: {error if isinstance(error, NotRead) else type(error).__name__}"
        )
        raise SignInFailure("provider_down", detail, provider=door.label) from None
