"""Travis CI's limits: requests a minute, POSTs in half a minute, builds an hour by the API."""

import time
from collections import deque

from ..engine import Instance
from ..wire import Answer
from . import errors

BAN_SECONDS = 3600
POST_SECONDS = 30
UNLIMITED = 1_000_000  # unless the instance's options say otherwise


def _option(instance: Instance, name: str) -> int:
    return int(str(instance.options.get(name, UNLIMITED)))


def _recent(instance: Instance, key: tuple[str, str], seconds: float) -> deque[float]:
    """The moments of what was counted under a key, without those that no longer count."""
    moments: deque[float] = instance.memory.setdefault("moments", {}).setdefault(key, deque())
    now = time.monotonic()
    while moments and now - moments[0] >= seconds:
        moments.popleft()
    return moments


def spend(instance: Instance, who: str, method: str) -> Answer | None:
    """Counts one request; the refusal when it is one too many.

    Options: `limit` (Travis: 2000 a minute) and `post_limit` (50 in 30 seconds, then banned).
    """
    banned: dict[str, float] = instance.memory.setdefault("banned", {})
    now = time.monotonic()
    if banned.get(who, now) > now:
        return errors.banned()
    asked = _recent(instance, ("asked", who), 60)
    asked.append(now)
    if method == "POST":
        posts = _recent(instance, ("posted", who), POST_SECONDS)
        posts.append(now)
        if len(posts) > _option(instance, "post_limit"):
            banned[who] = now + BAN_SECONDS
            return errors.banned()
    return errors.throttled() if len(asked) > _option(instance, "limit") else None


def left(instance: Instance, repository: str) -> tuple[int, int]:
    """How many builds the API may still start this hour, and how many in all.

    Option `api_builds_rate_limit` (Travis: 10, a repository may set up to 200).
    """
    most = _option(instance, "api_builds_rate_limit")
    return most - len(_recent(instance, ("started", repository), 3600)), most


def count_start(instance: Instance, repository: str) -> None:
    _recent(instance, ("started", repository), 3600).append(time.monotonic())
