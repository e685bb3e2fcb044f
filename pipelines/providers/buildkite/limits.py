"""How often Buildkite may be asked: per organization and, whoever else uses it, per user.

Source: buildkite.com/docs/apis/rest-api/limits. The headers' names changed over the years, any of
them may be missing, and the reset is in seconds left.
"""

import re
from collections.abc import Mapping

from pipelines.providers.base import Limit

WINDOW = 60.0
LIMITS = (Limit("organization", 200, WINDOW), Limit("user", 50, WINDOW))
_PREFIXES = {"organization": ("ratelimit", "rate-limit"), "user": ("ratelimit-user",)}
_WORDS = ("limit", "remaining", "reset")
_NUMBER = re.compile(r"[0-9]{1,9}")


def read_limits(headers: Mapping[str, str]) -> list[Limit]:
    """The limits that an answer tells of."""
    told = {name.lower(): value for name, value in headers.items()}
    found = (_limit(rule, told) for rule in LIMITS)
    return [limit for limit in found if limit]


def _limit(rule: Limit, told: Mapping[str, str]) -> Limit | None:
    """None where neither the limit nor what is left of it is told."""
    limit, remaining, reset = (_told(rule.name, word, told) for word in _WORDS)
    if limit is None and remaining is None:
        return None
    return Limit(rule.name, limit or rule.limit, WINDOW, remaining, reset)


def _told(name: str, word: str, told: Mapping[str, str]) -> int | None:
    values = (told.get(f"{prefix}-{word}", "").strip() for prefix in _PREFIXES[name])
    return next((int(value) for value in values if _NUMBER.fullmatch(value)), None)
