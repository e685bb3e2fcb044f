"""Whether a person's groups still count, which somebody who has left will not come back to say.

At each sign-in, renewal of a session and hourly reading the groups are confirmed by who says them.
Tokens and standing triggers go on without a session, so groups that nobody has confirmed for
GROUPS_MAX_AGE_DAYS are treated as known in part only: their person reads, until they sign in again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from portal.group_claims import CLAIM_PREFIX
from portal.models import Identity, ScimUser
from portal.social.configuration import BITBUCKET, Door

WARN_BEFORE = timedelta(days=7)
_MARK = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Confirmation:
    """When a person's groups were confirmed, those that have waited longest; and until when that
    holds. `mend` is a sentence on what confirms them anew."""

    at: datetime
    until: datetime
    origin: str
    mend: str

    @property
    def is_over(self) -> bool:
        return self.until <= timezone.now()

    @property
    def is_near(self) -> bool:
        """Whether it is time to say so."""
        return self.until - timezone.now() <= WARN_BEFORE


def doubtful(latest: datetime | None = None) -> QuerySet[Identity]:
    """What keeps people from doing more than reading: the one rule, for pages, tokens and dry run.

    Whom a directory keeps up to date by SCIM does not age: it tells when they leave. Confirmed at
    `latest` or before is too old; by itself that is what the limit says now.
    """
    old = Q(confirmed_at__lte=latest or oldest()) & ~_pushed()
    return Identity.objects.filter(~Q(incomplete="") | old).order_by("pk")


def doubtful_sql(user_column: str) -> tuple[str, tuple[Any, ...]]:
    """The first of them of the person in that column of a query around it: its id."""
    sql, params = _compiled(user_column, bool(settings.SCIM_TOKEN))
    as_stored = connection.ops.adapt_datetimefield_value
    mark, latest = as_stored(_MARK), as_stored(oldest())
    return sql, tuple(latest if param == mark else param for param in params)


@lru_cache
def _compiled(user_column: str, scim: bool) -> tuple[str, tuple[Any, ...]]:
    """Made once for each setting, with a mark for the time: to compile it takes a millisecond, as
    long as everything else that a call by token takes."""
    found = doubtful(_MARK).filter(user_id=RawSQL(user_column, ()))  # noqa: S611
    sql, params = found.values("pk")[:1].query.sql_with_params()
    return f"({sql})", params


def why(identity: Identity) -> str:
    """What is told to the person of an identity that is doubtful()."""
    if identity.incomplete:
        return f"{identity.incomplete} An administrator can help."
    confirmed = _confirmation(identity)
    return (
        f"{confirmed.origin} last confirmed the groups on {confirmed.at:%-d %B %Y}, and after "
        f"{settings.GROUPS_MAX_AGE_DAYS} days without that only reading is allowed. "
        f"{confirmed.mend}"
    )


def why_incomplete(user_id: int) -> str:
    """Why not all of the person's groups are known or count; "" when they do."""
    found = doubtful().filter(user=user_id).first()
    return why(found) if found else ""


def why_of_all(user_ids: Iterable[int] | None = None) -> dict[int, str]:
    """The same of several people, or of everybody; only of whom there is something to say."""
    found = doubtful() if user_ids is None else doubtful().filter(user__in=user_ids)
    return {row.user_id: why(row) for row in found.reverse()}  # type: ignore[attr-defined]


def confirmations(user_ids: Iterable[int]) -> dict[int, Confirmation]:
    """Of each person whose groups age, those that will have aged first."""
    aging = Identity.objects.filter(~_pushed(), user__in=user_ids, confirmed_at__isnull=False)
    rows = aging.order_by("-confirmed_at")
    return {row.user_id: _confirmation(row) for row in rows}  # type: ignore[attr-defined]


def issuers() -> dict[str, tuple[str, ...]]:
    """Who can confirm groups now: issuer -> what the names of its groups begin with."""
    found: dict[str, tuple[str, ...]] = {
        door.issuer: (door.prefix,) for door in settings.SIGNIN_DOORS.values()
    }
    company = (f"{settings.OIDC_ISSUER_SLUG}:", CLAIM_PREFIX)
    return {settings.OIDC_OP_ISSUER: company, **found} if settings.OIDC_OP_ISSUER else found


def _pushed() -> Exists:
    rows = ScimUser.objects.filter(user=OuterRef("user"), active=True, deleted_at=None)
    return Exists(rows if settings.SCIM_TOKEN else rows.none())


def oldest() -> datetime:
    """What was confirmed then or before has aged."""
    return timezone.now() - _limit()


def _limit() -> timedelta:
    return timedelta(days=settings.GROUPS_MAX_AGE_DAYS)


def _confirmation(identity: Identity) -> Confirmation:
    at = identity.confirmed_at or identity.seen_at
    door = next(
        (one for one in settings.SIGNIN_DOORS.values() if one.issuer == identity.issuer), None
    )
    company = settings.OIDC_ISSUER_NAME if identity.issuer == settings.OIDC_OP_ISSUER else ""
    origin = door.label if door else company or "a provider that is set up no more"
    mend = _mend(identity, door)
    return Confirmation(at, at + _limit(), origin[:1].upper() + origin[1:], mend)


def _mend(identity: Identity, door: Door | None) -> str:
    if door and door.provider == BITBUCKET and settings.BITBUCKET_MEMBERS_TOKEN:
        return "They are read hourly: an administrator has to see why that fails."
    if door and door.members_of and _is_linked(identity):
        return f"Choose Link again beside {door.label} on your account page."
    return "Sign in again."


def _is_linked(identity: Identity) -> bool:
    """Whether the person signs in through another provider."""
    others = Identity.objects.filter(user=identity.user_id).exclude(issuer=identity.issuer)  # type: ignore[attr-defined]
    return not settings.SOCIAL_SIGNIN or others.exists()
