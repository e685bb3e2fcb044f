"""Regular expressions that an administrator may write: such as can't keep the portal busy.

Python's `re` tries again and again where a repetition stands in a repetition. So a pattern is a
row of characters and classes, each with its own repetition, and of groups that are not repeated;
and the ways to match are counted beforehand.
"""

import re
from functools import lru_cache

MAX_PATTERN = 200
MAX_VALUE = 200
# Three unbounded repetitions, or two with some options.
MAX_WAYS = MAX_VALUE**3

_TOKEN = re.compile(
    r"""(?P<atom>\\[dwsDWS] | \\[^A-Za-z0-9] | [^\\\[\](){}*+?|^$]
                | \[\^?(?:\](?:\\.|[^\]\\])*|(?:\\.|[^\]\\])+)\])
      | (?P<repeat>[*+?] | \{[0-9]{1,3}(?:,[0-9]{0,3})?\})
      | (?P<open>\((?:\?:)?) | (?P<close>\)) | (?P<or>\|)""",
    re.VERBOSE,
)


class BadPattern(ValueError):
    """The text says what is wrong with the pattern."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, ready for full_match(). Raises BadPattern."""
    if len(pattern) > MAX_PATTERN:
        raise BadPattern(f"it is longer than {MAX_PATTERN} characters")
    if _ways(pattern) > MAX_WAYS:
        raise BadPattern("it repeats in too many places; three * or + are the most")
    try:
        return re.compile(pattern, re.ASCII)
    except (re.error, OverflowError) as error:
        raise BadPattern(f"it is no regular expression: {error}") from error


@lru_cache(maxsize=4096)
def full_match(pattern: str, value: str) -> bool:
    """Whether the whole value matches; one that is too long never does. Raises BadPattern."""
    found = compiled(pattern)
    return len(value) <= MAX_VALUE and found.fullmatch(value) is not None


def _ways(pattern: str) -> int:
    """How often matching may have to choose, at most. Raises BadPattern."""
    ways, position, before = 1, 0, "start"
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            raise BadPattern(
                f'"{pattern[position:][:10]}" is not understood; write \\ before a sign'
            )
        kind = str(token.lastgroup)
        if kind == "repeat":
            ways *= _width(token[0], before)
        elif kind == "or":
            ways *= 2
        position, before = token.end(), kind
    return ways


def _width(repeat: str, before: str) -> int:
    """How many lengths the repetition may have."""
    if before == "close" and repeat != "?":
        raise BadPattern("a group can't be repeated; only ? may stand behind it")
    if before not in {"atom", "close"}:
        raise BadPattern(f'"{repeat}" has nothing before it that it could repeat')
    if repeat in {"*", "+"}:
        return MAX_VALUE
    if repeat == "?":
        return 2
    least, comma, most = repeat[1:-1].partition(",")
    if not comma:
        return 1
    return max(int(most) - int(least), 0) + 1 if most else MAX_VALUE
