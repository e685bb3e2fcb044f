"""Finds the name that someone probably meant, fast enough for thousands of names and mistakes.

A close match over all names costs milliseconds each; a catalog with thousands of stale
annotations would stall. So candidates share a word with what was written, their number is
bounded, and so are the searches of one run.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches

MAX_CANDIDATES = 1000
MAX_SEARCHES = 500
_WORD = re.compile(r"[^a-z0-9]+")


class Nearest:
    """Suggests from a fixed list of names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.casefold(): name for name in names}
        self._by_word: dict[str, list[str]] = defaultdict(list)
        for folded in self._names:
            for word in _words(folded):
                self._by_word[word].append(folded)
        self._searches = 0

    def to(self, wanted: str) -> str:
        """The nearest name, or "" when none is near or too much was asked for already."""
        folded = wanted.casefold()
        if folded in self._names:
            return self._names[folded]
        if self._searches >= MAX_SEARCHES:
            return ""
        self._searches += 1
        close = get_close_matches(folded, self._candidates(folded), n=1, cutoff=0.6)
        return self._names[close[0]] if close else ""

    def _candidates(self, folded: str) -> list[str]:
        """Names that share the rarest words first; all of them while they are few."""
        if len(self._names) <= MAX_CANDIDATES:
            return list(self._names)
        found: dict[str, None] = {}
        for word in sorted(_words(folded), key=lambda word: len(self._by_word.get(word, ()))):
            for name in self._by_word.get(word, ()):
                found[name] = None
                if len(found) >= MAX_CANDIDATES:
                    return list(found)
        return list(found)


def _words(name: str) -> set[str]:
    return {word for word in _WORD.split(name) if word}
