"""Working hours: "Mon-Fri 08:00-18:00 Europe/Berlin", several separated by semicolons.

They are read from the clock on the wall there: when the clocks change, the window goes with them.
A window over midnight belongs to the day on which it begins.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MAX_WINDOWS = 20
_WINDOW = re.compile(
    r"(?:(?P<days>[A-Za-z,\-]+)\s+)?(?P<begin>\d\d?:\d\d)\s*-\s*(?P<end>\d\d?:\d\d)\s+(?P<zone>\S+)",
    re.ASCII,
)
_MIDNIGHT = time(0, 0)


class BadHours(ValueError):
    """The text says, as a sentence, what is wrong."""


@dataclass(frozen=True)
class Window:
    """On which days from when to when, where. `end` is midnight where it is written 24:00."""

    days: frozenset[int]  # 0 is Monday
    begin: time
    end: time
    zone: ZoneInfo

    def holds(self, now: datetime) -> bool:
        there = now.astimezone(self.zone)
        clock, today = there.time(), there.weekday()
        if self.begin < self.end or self.end == _MIDNIGHT:
            return today in self.days and clock >= self.begin and self._not_over(clock)
        yesterday = (there.date() - timedelta(days=1)).weekday()
        began_today = today in self.days and clock >= self.begin
        return began_today or (yesterday in self.days and clock < self.end)

    def _not_over(self, clock: time) -> bool:
        return self.end == _MIDNIGHT or clock < self.end


@lru_cache(maxsize=1024)
def windows_of(text: str) -> tuple[Window, ...]:
    """The windows of a text. Raises BadHours."""
    parts = [part.strip() for part in text.replace("\n", ";").split(";")]
    windows = tuple(_window(part) for part in parts if part)
    if not windows:
        raise BadHours("No hours are named.")
    if len(windows) > MAX_WINDOWS:
        raise BadHours(f"These are more than {MAX_WINDOWS} windows.")
    return windows


def _window(text: str) -> Window:
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise BadHours(
            f'"{text[:60]}" is not understood: write it as "Mon-Fri 08:00-18:00 Europe/Berlin".'
        )
    begin, end = _clock(found["begin"]), _clock(found["end"])
    if found["begin"] == "24:00" or (begin == end and found["end"] != "24:00"):
        raise BadHours(f'"{text[:60]}" is no time at all: a whole day is 00:00-24:00.')
    return Window(_days(found["days"] or "Mon-Sun"), begin, end, _zone(found["zone"]))


def _clock(written: str) -> time:
    hour, minute = map(int, written.split(":"))
    if (hour, minute) == (24, 0):
        return _MIDNIGHT
    try:
        return time(hour, minute)
    except ValueError:
        raise BadHours(f"No clock shows {written}.") from None


def _days(written: str) -> frozenset[int]:
    found: set[int] = set()
    for part in written.split(","):
        first, dash, last = part.partition("-")
        begin = _day(first)
        end = _day(last) if dash else begin
        found |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return frozenset(found)


def _day(written: str) -> int:
    name = written.strip().title()
    if name not in DAYS:
        raise BadHours(f'"{written[:20]}" is no day: write {", ".join(DAYS)}.')
    return DAYS.index(name)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadHours(
            f'There is no time zone "{name[:60]}": write one like Europe/Berlin or UTC.'
        ) from None
