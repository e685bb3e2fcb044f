"""Damages JSON at random: keys that vanish, values of another type, words nobody has heard of."""

import json
import random
from collections.abc import Collection
from typing import Any

JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**30,
    1e308,
    "",
    "x" * 300,
    "\x00\ud800",
    "☃",
    [],
    {},
    [None],
    {"name": None},
    [[[[]]]],
    "1970-01-01",
    "9999-99-99T99:99:99Z",
)


def damaged(value: Any, chance: random.Random, rate: float = 0.08) -> Any:
    """The value with about `rate` of its parts replaced, dropped, doubled or put in disorder."""
    if chance.random() < rate:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        kept = [key for key in value if chance.random() >= rate / 2]
        return {key: damaged(value[key], chance, rate) for key in kept}
    if isinstance(value, list):
        items = [damaged(item, chance, rate) for item in value]
        if chance.random() < rate:
            chance.shuffle(items)
        return items + items[:1] if chance.random() < rate else items
    return value


def unheard_of(value: Any, words: Collection[str], chance: random.Random) -> Any:
    """The value with every known state word, in any case, turned into one that no vendor uses."""
    if isinstance(value, dict):
        return {key: unheard_of(item, words, chance) for key, item in value.items()}
    if isinstance(value, list):
        return [unheard_of(item, words, chance) for item in value]
    if isinstance(value, str) and any(word in value.lower() for word in words):
        return chance.choice(["passd", "OK", "green", "done!", "ok-ish", "PASSEDISH"[::-1], "✓"])
    return value


def encoded(value: Any) -> bytes:
    """JSON as a vendor could send it, halves of surrogate pairs included."""
    return json.dumps(value).encode()
