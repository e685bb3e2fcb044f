"""What SAML, GitHub or Bitbucket say of a person who has just signed in there: who, which groups.

What an attribute is called is configured; what GitHub and Bitbucket know is asked with the very
token of this sign-in, which is not kept.
"""

from dataclasses import dataclass, field
from typing import Any

from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from requests.utils import parse_header_links

from portal.http import HttpClient, HttpError, Response, origin
from portal.memberships import usable
from portal.signin_failure import SignInFailure
from portal.social.configuration import BITBUCKET, ENTRA_GROUPS, GITHUB, Door

GITHUB_API = "https://api.github.com"
BITBUCKET_API = "https://api.bitbucket.org"
MAX_PAGES, PER_PAGE = 20, 100
NOT_A_MEMBER = "belongs to none of the organisations that may sign in"


@dataclass(frozen=True)
class Arrival:
    """`claims` has the names of OpenID Connect; `incomplete` says why groups may be missing."""

    claims: dict[str, Any]
    groups: list[str] = field(default_factory=list)  # without the prefix
    incomplete: str = ""


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
        groups, incomplete = github_groups(login.token.token, door)
    elif door.provider == BITBUCKET:
        groups, incomplete = bitbucket_groups(login.token.token, door)
    else:
        claims = {**told, **claims}
        groups, incomplete = _attribute(told), ""
    if door.members_of and not {group.partition("/")[0] for group in groups} & {*door.members_of}:
        raise SignInFailure("refused", NOT_A_MEMBER, provider=door.label)
    return Arrival(claims, [name for name in groups if usable(name, door.prefix)], incomplete)


def _attribute(told: dict[str, Any]) -> list[str]:
    """The groups of a SAML assertion, whose attributes are lists of texts."""
    values = told.get(settings.SAML_GROUPS_ATTRIBUTE) or told.get(ENTRA_GROUPS) or []
    items = [values] if isinstance(values, str) else values
    return sorted({item.strip() for item in items if isinstance(item, str) and item.strip()})


def github_groups(token: str, door: Door) -> tuple[list[str], str]:
    """ "organisation" and "organisation/team", of the organisations that count here; why not all.

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
    mine = sorted(name for name in {*found, *teams} if name.partition("/")[0] in door.members_of)
    full = len(teams) >= MAX_PAGES * PER_PAGE
    return mine, "You are in more teams than GitHub was asked for." if full else ""


def bitbucket_groups(token: str, door: Door) -> tuple[list[str], str]:
    """The workspaces that the person belongs to; groups in them only an administrator can read.

    GET /2.0/user/workspaces (scope account); the older lists are gone since April 2026.
    """
    values = _asked(BITBUCKET_API, "/2.0/user/workspaces", token, door)
    found = {str(item["workspace"]["slug"]).lower() for item in values}
    return sorted(found & {*door.members_of}), ""


def github_api(door: Door) -> str:
    """Where GitHub's REST API is: below the address of an Enterprise Server, else beside it."""
    return GITHUB_API if door.issuer == "https://github.com" else f"{door.issuer}/api/v3"


def _asked(api: str, path: str, token: str, door: Door) -> list[dict[str, Any]]:
    """All items of a paged list. Raises SignInFailure: half of somebody's groups is no answer."""
    client = HttpClient(allow=settings.OUTGOING_ALLOW, ca_bundle=settings.OUTGOING_CA_BUNDLE)
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    url: str | None = f"{api}{path}{'&' if '?' in path else '?'}per_page={PER_PAGE}"
    items: list[dict[str, Any]] = []
    try:
        for _ in range(MAX_PAGES):
            answer = client.request("GET", url or "", headers=headers)
            if answer.status != 200:
                detail = f"asked for groups, {door.label} answered {answer.status}"
                raise SignInFailure("provider_down", detail, provider=door.label)
            page = answer.json()
            items += page if isinstance(page, list) else page["values"]
            url = _next(answer, page)
            if not url or origin(url) != origin(api):
                break
    except (HttpError, KeyError, TypeError) as error:
        detail = f"asked for groups: {type(error).__name__}"
        raise SignInFailure("provider_down", detail, provider=door.label) from None
    return items


def _next(answer: Response, page: Any) -> str | None:
    """The next page's address: in the Link header (GitHub) or in the body (Bitbucket)."""
    if isinstance(page, dict):
        return page.get("next")
    links = parse_header_links(answer.headers.get("Link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), None)
