"""Finds the name that someone probably meant, fast enough for thousands of names and mistakes.

difflib over all names costs tens of milliseconds each; a catalog with thousands of stale
annotations would stall. So it judges only the names that share the rarest letters in a row with
what was written, and the searches of one run are bounded.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from difflib import get_close_matches

CANDIDATES = 50
# Names looked through for candidates, those with the rarest trigrams first.
MAX_POSTINGS = 4000
MAX_SEARCHES = 500


class Nearest:
    """Suggests from a fixed list of names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.casefold(): name for name in names}
        self._postings: dict[str, list[str]] = defaultdict(list)
        for folded in self._names:
            for trigram in _trigrams(folded):
                self._postings[trigram].append(folded)
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
        """The names that share the most trigrams, the rare ones counted first."""
        shared: Counter[str] = Counter()
        lists = [self._postings[trigram] for trigram in _trigrams(folded) & self._postings.keys()]
        left = MAX_POSTINGS
        for postings in sorted(lists, key=len):
            shared.update(postings[:left])
            left -= len(postings)
            if left <= 0:
                break
        return [name for name, _ in shared.most_common(CANDIDATES)]


def _trigrams(name: str) -> set[str]:
    """Three characters in a row, the ends marked, so that short names have some too."""
    padded = f"^{name}$"
    return {padded[start : start + 3] for start in range(max(len(padded) - 2, 1))}
