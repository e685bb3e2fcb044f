"""Buildkite's rate limits: a window of a minute per organisation and per user, told in headers."""

from dataclasses import dataclass

from ..engine import Instance
from ..wire import Answer
from .errors import limited

UNLIMITED = 1_000_000  # unless the instance's options say otherwise (Buildkite: 200 and 50)


@dataclass
class Window:
    """Requests of the current minute."""

    began: float
    used: int = 0

    def count(self, now: float) -> float:
        """Counts one request; the seconds left of this window."""
        if now - self.began >= 60:
            self.began, self.used = now, 0
        self.used += 1
        return 60 - (now - self.began)


def spend(instance: Instance, organisation: str, user: str) -> tuple[dict[str, str], Answer | None]:
    """The headers of this request, and the refusal when a limit is spent.

    Options: `rest_limit` and `rest_user_limit`, requests a minute.
    """
    windows: dict[tuple[str, str], Window] = instance.memory.setdefault("limits", {})
    headers: dict[str, str] = {}
    refusal: Answer | None = None
    now = instance.clock.now()
    scopes = (("RateLimit", "rest", organisation), ("RateLimit-User", "rest_user", user))
    for name, scope, key in scopes:
        window = windows.setdefault((scope, key), Window(now))
        left = window.count(now)
        limit = int(str(instance.options.get(f"{scope}_limit", UNLIMITED)))
        headers |= {
            f"{name}-Limit": str(limit),
            f"{name}-Remaining": str(max(limit - window.used, 0)),
            f"{name}-Reset": str(max(1, round(left))),
            f"{name}-Scope": scope,
        }
        if window.used > limit and refusal is None:
            refusal = limited(scope, limit, window.used, left)
    return headers, refusal
