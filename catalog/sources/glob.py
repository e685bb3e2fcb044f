"""Matches paths against the wild cards of a Location target: `*`, `?`, `[abc]` and `**`.

The standard library's glob walks the disk by itself; we walk with limits and only need to match.
"""

import fnmatch
from functools import cache


def has_wildcard(target: str) -> bool:
    return any(sign in target for sign in "*?[")


def split_fixed(target: str) -> tuple[str, str]:
    """The folders before the first wild card, and the pattern; the pattern is "" without one."""
    if not has_wildcard(target):
        return target, ""
    parts = target.split("/")
    first = next(index for index, part in enumerate(parts) if has_wildcard(part))
    fixed = "/".join(parts[:first])
    return fixed or ("/" if target.startswith("/") else "."), "/".join(parts[first:])


def matches(path: str, pattern: str) -> bool:
    """Both relative with "/"; `**` stands for any number of folders, none included.

    As in a shell, a wild card does not match a name that begins with a dot.
    """
    parts, wanted = path.split("/"), [part for part in pattern.split("/") if part != "."]

    @cache
    def rest(at: int, want: int) -> bool:
        if want == len(wanted):
            return at == len(parts)
        if wanted[want] == "**":
            skips = at < len(parts) and not parts[at].startswith(".") and rest(at + 1, want)
            return skips or rest(at, want + 1)
        return at < len(parts) and _fits(parts[at], wanted[want]) and rest(at + 1, want + 1)

    return rest(0, 0)


def _fits(name: str, pattern: str) -> bool:
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return fnmatch.fnmatchcase(name, pattern)
