"""Answers that are made once per version of the catalog, kept in this process's memory.

A key holds the version and whatever else its value is made of, so nothing is ever taken back:
what belongs to an earlier version is not asked for again, and goes in time.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from portal.process_cache import answers

SECONDS = 600


def key(name: str, version: int, *parts: object) -> str:
    """Parts of any length, each with a repr() that tells it from others (no sets)."""
    return f"{name}:{version}:{hashlib.sha256(repr(parts).encode()).hexdigest()}"


def value(of: str, make: Callable[[], Any]) -> Any:
    """What is kept under the key, made first where nothing is."""
    found = answers.get(of)
    if found is None:
        found = make()
        put(of, found)
    return found


def peek(of: str) -> Any:
    """What is kept under the key, or None."""
    return answers.get(of)


def put(of: str, found: Any) -> None:
    """Keeps it under the key."""
    answers.set(of, found, SECONDS)
