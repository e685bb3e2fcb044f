"""Readings of a vendor that serve all viewers for a moment: one asks, the others wait for it."""

import hashlib
import threading
from collections.abc import Callable
from typing import TypeVar

from portal.process_cache import answers

T = TypeVar("T")
# Which lock is chosen by the key.
_LOCKS = tuple(threading.Lock() for _ in range(256))


def shared(key: str, ask: Callable[[], tuple[T, int]]) -> T:
    """What is kept under the key, else what asking gives, for as many seconds as it says."""
    found: T | None = answers.get(key)
    if found is not None:
        return found
    with _LOCKS[int(key[:2], 16)]:
        found = answers.get(key)
        if found is None:
            found, seconds = ask()
            answers.set(key, found, seconds)
    return found


def key_of(*parts: object) -> str:
    """A cache key; hashed, because a vendor's words are among the parts, and a key allows few
    characters."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
