"""The one place where somebody's access ends, whoever said so.

An administrator, SCIM, the provider's back-channel logout and the sweep all come here. What else
runs in the person's name belongs to the rooms above and ends by the hook `access_ended`. Nothing
about safety hangs on that: every request and every dispatch asks again whether the person is
active, and `sweep()` repeats what was lost.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest
from django.utils import timezone

from portal import audit, hooks, user_sessions
from portal.access import display_name
from portal.models import ApiToken, PolicyChange, UserSession

audit.register("access.end", "ended a person's access")
audit.register("session.end", "ended sessions")

# What one sweep ends; what is left over is found by the next.
MAX_SWEPT = 50
LEFT_OVER = "The account is deactivated, and something of it was still alive."


@transaction.atomic
def end_access(
    user: User,
    *,
    why: str,
    by: User | None = None,
    request: HttpRequest | None = None,
    deactivate: bool = True,
    on_behalf_of: str = "",
) -> list[str]:
    """Ends all that acts in the person's name, at once; what that was, in words.

    Without `deactivate` the person may sign in again. Their name and identities stay, so that the
    trail stays readable and the same person is found when they come back. Doing it again is
    harmless, and leaves nothing in the trail where nothing was left to end.
    """
    # One ending at a time. No more is held than that: whoever approves a request of this person's
    # holds the request, and refers to the person.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    ended = _ended_here(user, deactivate)
    if by is not None and deactivate:  # a person's word stands above the directory's
        user.scim_ended.clear()
    for also in hooks.access_ended.call(user):
        ended |= also or {}
    words = [_counted(number, one, many) for (one, many), number in ended.items() if number]
    if words or by is not None:
        audit.record(
            "access.end",
            user=by,
            on_behalf_of=on_behalf_of,
            target=f"user: {user.get_username()}",
            reason=why,
            request=request,
            data={"person": user.pk, "name": display_name(user), "ended": words},
        )
    return words


def would_end(user: User) -> list[str]:
    """What end_access() would end now, in words: it is done, looked at and taken back."""
    with transaction.atomic():
        words = end_access(User.objects.get(pk=user.pk), why="")
        transaction.set_rollback(True)
    return words


def end_sessions(
    rows: Any, *, why: str, by: User | None = None, request: HttpRequest | None = None
) -> int:
    """Ends single sessions of people who otherwise keep their access; how many."""
    total = 0
    for user in User.objects.filter(stagedoor_sessions__in=rows).distinct():
        number = user_sessions.end(rows.filter(user=user))
        total += number
        audit.record(
            "session.end",
            user=by,
            target=f"user: {user.get_username()}",
            reason=why,
            request=request,
            data={"ended": [_counted(number, "session", "sessions")]},
        )
    return total


def sweep() -> int:
    """Ends again what lives of deactivated people; how many people that were."""
    sessions = UserSession.objects.filter(user=OuterRef("pk"))
    tokens = ApiToken.objects.filter(user=OuterRef("pk"), revoked_at=None)
    alive = Q(Exists(sessions)) | Q(Exists(tokens))
    found = list(User.objects.filter(alive, is_active=False)[:MAX_SWEPT])
    for user in found:
        end_access(user, why=LEFT_OVER)
    return len(found)


def _ended_here(user: User, deactivate: bool) -> dict[tuple[str, str], int]:
    """Ends what this room knows of. Keys are how to say it of one and of several."""
    now = timezone.now()
    active = User.objects.filter(pk=user.pk, is_active=True)
    changes = PolicyChange.objects.filter(author=user, state=PolicyChange.State.WAITING)
    if deactivate:
        user.is_active = False
    return {
        ("account deactivated", ""): active.update(is_active=False) if deactivate else 0,
        ("session", "sessions"): user_sessions.end(UserSession.objects.filter(user=user)),
        ("API token", "API tokens"): ApiToken.objects.filter(user=user, revoked_at=None).update(
            revoked_at=now
        ),
        ("waiting change of policy", "waiting changes of policy"): changes.update(
            state=PolicyChange.State.WITHDRAWN, decided_at=now, comment="The author has left."
        ),
    }


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {many}" if number > 1 else f"1 {one}" if many else one


def in_words(ended: Iterable[str]) -> str:
    """For a message to whoever ended it."""
    return ", ".join(ended) or "nothing was left to end"
