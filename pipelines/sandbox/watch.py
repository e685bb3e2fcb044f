"""Which builds have changed since the last look, for webhooks; what rests costs nothing.

Between two looks a build may pass through several states. Each is found with its own moment, since
a build's course can be computed for any: no change is missed, however seldom anybody looks.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .objects import Build
from .script import Snapshot, next_change, snapshot


@dataclass(frozen=True)
class Change:
    """A build at one moment and before it; `before` is None for one just created."""

    at: float
    build: Build
    before: Snapshot | None
    after: Snapshot


@dataclass
class _Look:
    """The last look at a build, and when the next one is worth it."""

    at: float
    seen: Snapshot | None
    due: float = 0.0


class Watch:
    """The builds of one instance that move. Called under the world's lock."""

    def __init__(self) -> None:
        self._moving: dict[Build, _Look] = {}
        self._found: list[Change] = []

    def begin(self, builds: Iterable[Build], now: float) -> None:
        """Takes the builds as they stand: only what happens from now on is a change."""
        looks = ((build, _Look(now, build.at(now))) for build in builds)
        self._moving = {build: look for build, look in looks if look.seen and not look.seen.final}
        self._found = []

    def born(self, build: Build) -> None:
        self._moving[build] = _Look(build.created_at, None)

    def stir(self, build: Build, now: float) -> None:
        """Call before something is done to a build, final ones too."""
        look = self._moving.setdefault(build, _Look(now, build.at(now)))
        self._follow(build, look, now)
        look.due = 0.0

    def drop(self, build: Build) -> None:
        """Forgets a build."""
        self._moving.pop(build, None)

    def changes(self, now: float) -> list[Change]:
        """What has happened since this was last asked, in order."""
        for build, look in list(self._moving.items()):
            if look.due <= now:
                self._follow(build, look, now)
                if look.seen is not None and look.seen.final:
                    del self._moving[build]
        found, self._found = sorted(self._found, key=lambda change: change.at), []
        return found

    def _follow(self, build: Build, look: _Look, now: float) -> None:
        if look.seen is None:
            self._note(build, look, look.at)
        moment = _next(build, look)
        while moment <= now:
            self._note(build, look, moment)
            moment = _next(build, look)
        self._note(build, look, max(now, look.at))
        look.due = _next(build, look)

    def _note(self, build: Build, look: _Look, at: float) -> None:
        seen = snapshot(build.course, at)
        if seen != look.seen:
            self._found.append(Change(at, build, look.seen, seen))
        look.at, look.seen = at, seen


def _next(build: Build, look: _Look) -> float:
    if look.seen is None:
        return math.inf
    moment = next_change(build.course, look.seen, look.at)
    return math.inf if moment is None else moment
