"""Bearer tokens: how one is made and ended, and who calls when one is presented.

A token acts as its person, with what the person may do now, cut down to what was chosen for the
token. So the question "whose is it, and what may they do" is asked at every request; one query.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from portal import audit, hooks
from portal.access import EVERYBODY, display_name, mapped_grants, team_subjects
from portal.group_age import doubtful_sql, why_incomplete
from portal.models import ApiToken
from portal.policy import Actor, Conditions, Grant

audit.register("token.create", "made an API token")
audit.register("token.revoke", "revoked an API token")

PREFIX = "sd_"
BYTES = 32
DEFAULT_DAYS = 30
MAX_DAYS = 90
MAX_LIVE = 50  # of one person
READ_ONLY = ("catalog.view", "build.view", "log.view")
# `last_used_at` is written no more often than this: a script may ask a hundred times a second.
USE_NOTED_EVERY = timedelta(minutes=1)


class BadToken(Exception):
    """Nobody calls by this token; the text says why, to whoever holds it."""


@dataclass(frozen=True)
class Caller:
    """Who calls by which token. `unnoted`: its use has not been written down for a while.

    `also` is what also_ask() asks for, as it was when the token was looked at.
    """

    actor: Actor
    token_id: int
    token_name: str
    unnoted: bool = False
    also: Any = None


# One scalar query of a room above, which is asked with the token: a query of its own would double
# what most calls cost.
_ALSO = ["NULL"]


def also_ask(query: str) -> None:
    """For AppConfig.ready(): a SELECT of one value that takes no parameters."""
    _ALSO[0] = f"({query})"


def digest_of(token: str) -> str:
    """What is stored. Tokens are 256 random bits, so a plain hash can't be searched."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    user: User,
    name: str,
    permissions: Iterable[str],
    expires_at: datetime,
    request: HttpRequest,
    *,
    agent: str = "",
) -> tuple[ApiToken, str]:
    """The row, and the token itself, which nothing keeps. `agent`: the program that acts by it."""
    token = PREFIX + secrets.token_urlsafe(BYTES)
    row = ApiToken.objects.create(
        user=user,
        name=name,
        agent=agent,
        digest=digest_of(token),
        permissions=sorted(permissions),
        expires_at=expires_at,
    )
    data = {
        "id": row.pk,
        "agent": agent,
        "permissions": row.permissions,
        "expires": expires_at.isoformat(),
    }
    audit.record("token.create", user=user, target=f"API token: {name}", request=request, data=data)
    return row, token


def revoke(row: ApiToken, by: Any, request: HttpRequest) -> bool:
    """Ends it at once; False where it was revoked before."""
    now = timezone.now()
    if not ApiToken.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=now):
        return False
    data = {"id": row.pk, "of": display_name(row.user)}
    audit.record(
        "token.revoke", user=by, target=f"API token: {row.name}", request=request, data=data
    )
    hooks.token_ended.call(row.pk)
    return True


def note_use(token_id: int) -> None:
    """Writes when it was last used, at most once in USE_NOTED_EVERY."""
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    ApiToken.objects.filter(stale, pk=token_id).update(last_used_at=now)


def caller_by(authorization: str) -> Caller:
    """Who presents this Authorization header. Raises BadToken."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise BadToken("Send an API token: Authorization: Bearer sd_…")
    if not token.startswith(PREFIX):
        raise BadToken("This is no API token of Stagedoor's.")
    digest = digest_of(token)
    rows = _rows(digest)
    if not rows:
        raise BadToken(_why(digest))
    first = rows[0]
    return Caller(_actor(rows), first.token_id, first.token_name, bool(first.unnoted), first.also)


def actor_by(token_id: int | None) -> Actor:
    """Whom a token acts as now, for work that goes on after its call. Raises BadToken."""
    digest = ApiToken.objects.filter(pk=token_id).values_list("digest", flat=True).first() or ""
    rows = _rows(digest)
    if not rows:
        raise BadToken(_why(digest))
    return _actor(rows)


def _actor(rows: list["_Row"]) -> Actor:
    first = rows[0]
    allowed = _permissions(first.permissions)
    teams = team_subjects(first.user_ref or "") if first.of_teams else frozenset()
    grants = [*_grants(rows), *(mapped_grants(teams) if teams else [])]
    cut = (replace(grant, permissions=grant.permissions & allowed) for grant in grants)
    return Actor(
        user_id=first.user_id,
        name=" ".join(filter(None, (first.first_name, first.last_name))) or first.username,
        user_ref=first.user_ref or "",
        groups=frozenset(row.group for row in rows if row.group) | teams,
        grants=tuple(grant for grant in cut if grant.permissions),
        agent=first.agent,
        incomplete=why_incomplete(first.user_id) if first.doubtful else "",
        ceiling=allowed,
    )


# portal.access.actor_for() asks the same in five queries, which a page can afford.
# tests/portal/test_api_tokens.py holds the two together.
_QUERY = """
SELECT t.id, t.name, t.agent, t.permissions,
       CASE WHEN t.last_used_at IS NULL OR t.last_used_at < %s THEN 1 ELSE 0 END,
       u.id, u.username, u.first_name, u.last_name, l.user_ref,
       CASE WHEN EXISTS (SELECT 1 FROM portal_rolemapping WHERE "group" LIKE 'team:%%')
            THEN 1 ELSE 0 END,
       {doubtful},
       g.name, m.id, m.scope_kind, m.scope_ref, m.environment,
       m.branches, m.parameters, m.hours, r.name, r.permissions,
       d.name, d.permissions,
       {also}
FROM portal_apitoken t
JOIN auth_user u ON u.id = t.user_id
LEFT JOIN portal_userlink l ON l.user_id = u.id
LEFT JOIN auth_user_groups ug ON ug.user_id = u.id
LEFT JOIN auth_group g ON g.id = ug.group_id AND g.name NOT LIKE 'team:%%'
LEFT JOIN portal_rolemapping m ON m."group" = g.name
LEFT JOIN portal_role r ON r.id = m.role_id
LEFT JOIN portal_role d ON d.slug = %s
WHERE t.digest = %s AND t.revoked_at IS NULL AND t.expires_at > %s AND u.is_active
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of _QUERY: the token and its person, with one group and one mapping of it."""

    token_id: int
    token_name: str
    agent: str
    permissions: str
    unnoted: int
    user_id: int
    username: str
    first_name: str
    last_name: str
    user_ref: str | None
    of_teams: int  # roles are mapped from the catalog's teams
    doubtful: int | None  # an identity that keeps the person from doing more than reading
    group: str | None
    mapping_id: int | None
    scope_kind: str
    scope_ref: str
    environment: str
    branches: str
    parameters: str
    hours: str
    role: str
    role_permissions: str
    default_role: str | None
    default_permissions: str
    also: Any


def _rows(digest: str) -> list[_Row]:
    now = timezone.now()
    as_stored = connection.ops.adapt_datetimefield_value
    times = [as_stored(now - USE_NOTED_EVERY), as_stored(now)]
    doubtful, of_doubtful = doubtful_sql("u.id")
    query = _QUERY.replace("{also}", _ALSO[0]).replace("{doubtful}", doubtful)
    with connection.cursor() as cursor:
        cursor.execute(query, [times[0], *of_doubtful, settings.DEFAULT_ROLE, digest, times[1]])
        return [_Row(*row) for row in cursor.fetchall()]


def _grants(rows: list[_Row]) -> Iterable[Grant]:
    for row in rows:
        if row.mapping_id is not None:
            yield Grant(
                role=row.role,
                permissions=_permissions(row.role_permissions),
                scope_kind=row.scope_kind,
                scope_ref=row.scope_ref,
                environment=row.environment,
                mapping_id=row.mapping_id,
                group=row.group or "",
                conditions=Conditions(row.branches, row.parameters, row.hours),
            )
    default = rows[0]
    if default.default_role is not None:
        allowed = _permissions(default.default_permissions)
        yield Grant(default.default_role, allowed, "everything", "", "", None, EVERYBODY)


@lru_cache(maxsize=256)
def _permissions(stored: str) -> frozenset[str]:
    """As either database hands a JSON column to plain SQL: its text."""
    return frozenset(json.loads(stored))


def _why(digest: str) -> str:
    row = ApiToken.objects.filter(digest=digest).select_related("user").first()
    if row is None:
        return "Nothing is known of this token."
    if row.revoked_at is not None:
        return "This token was revoked."
    if not row.user.is_active:
        return "The account that this token belongs to is switched off."
    return f"This token expired on {row.expires_at:%d %B %Y}; make a new one on your account page."
