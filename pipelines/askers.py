"""Who asks for a write: a person on a page, or an API token in a person's name.

Both are read anew at each step. A token never does more than it was made for and its person may do
at that moment, and what it asked for ends with it.
"""

from django.contrib.auth.models import User

from pipelines.models import Trigger
from portal.access import actor_for, fresh_actor
from portal.api_tokens import BadToken, Caller, actor_by
from portal.policy import ANONYMOUS, Actor

Asker = User | Caller


def actor_of(asker: Asker) -> Actor:
    """Raises BadToken where the token has ended since the call began."""
    return actor_by(asker.token_id) if isinstance(asker, Caller) else actor_for(asker)


def token_of(asker: Asker) -> int | None:
    return asker.token_id if isinstance(asker, Caller) else None


def actor_now(trigger: Trigger) -> tuple[Actor, str]:
    """Who asked for it, as they are now; and why that counts no more, as a sentence."""
    if trigger.token_id is None:
        return fresh_actor(trigger.actor_id), ""
    try:
        return actor_by(trigger.token_id), ""
    except BadToken as error:
        return ANONYMOUS, f"It was asked for by an API token. {error}"
