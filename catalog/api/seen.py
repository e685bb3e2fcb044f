"""What of the catalog a caller may see: everything, some scopes, or nothing (which is 403)."""

from django.utils import timezone

from catalog.seen import VIEW, Seen
from catalog.seen import seen_by as seen_by_actor
from portal.api_errors import ApiError
from portal.api_tokens import Caller
from portal.explain import told
from portal.policy import Target, decide

CATALOG = Target("the catalog")
__all__ = ["CATALOG", "VIEW", "Seen", "seen_by"]


def seen_by(caller: Caller) -> Seen:
    """What both the token and its person may see."""
    seen = seen_by_actor(caller.actor)
    if seen.nothing:
        denied = decide(caller.actor, VIEW, CATALOG, now=timezone.now())
        raise ApiError(403, denied.sentence, told(denied))
    return seen
