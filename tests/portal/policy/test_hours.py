"""Working hours: days, zones, midnight, and the nights on which clocks change."""

from datetime import datetime

import pytest

from portal.policy.hours import BadHours, windows_of

OFFICE = "Mon-Fri 08:00-18:00 Europe/Berlin"


def holds(text, when):
    now = datetime.fromisoformat(when)
    return any(window.holds(now) for window in windows_of(text))


@pytest.mark.parametrize(
    ("text", "when", "expected"),
    [
        (OFFICE, "2026-01-05T07:00:00+00:00", True),  # Monday 08:00 in winter
        (OFFICE, "2026-01-05T06:59:59+00:00", False),
        (OFFICE, "2026-01-05T17:00:00+00:00", False),
        (OFFICE, "2026-07-06T06:00:00+00:00", True),  # Monday 08:00 in summer
        (OFFICE, "2026-07-04T10:00:00+00:00", False),  # Saturday
        (f"{OFFICE}; Sat 10:00-12:00 UTC", "2026-07-04T10:00:00+00:00", True),
        ("08:00-09:00 UTC", "2026-07-05T08:30:00+00:00", True),  # any day
        ("Mon,Wed 00:00-24:00 UTC", "2026-01-07T23:59:59+00:00", True),
        ("Mon,Wed 00:00-24:00 UTC", "2026-01-06T12:00:00+00:00", False),
        ("Sat-Mon 10:00-11:00 UTC", "2026-01-04T10:00:00+00:00", True),  # over the week's end
        # Over midnight: Friday's window reaches into Saturday, Saturday has none of its own.
        ("Fri 22:00-02:00 UTC", "2026-01-03T01:59:00+00:00", True),
        ("Fri 22:00-02:00 UTC", "2026-01-02T01:00:00+00:00", False),
        ("Fri 22:00-02:00 UTC", "2026-01-03T22:00:00+00:00", False),
        ("Fri 22:00-00:00 UTC", "2026-01-02T23:59:00+00:00", True),
        # 29 March 2026: 02:00 to 03:00 does not exist in Berlin; 25 October has it twice.
        ("Sun 02:30-04:00 Europe/Berlin", "2026-03-29T00:59:59+00:00", False),
        ("Sun 02:30-04:00 Europe/Berlin", "2026-03-29T01:00:00+00:00", True),
        ("Sun 02:00-03:00 Europe/Berlin", "2026-10-25T00:30:00+00:00", True),
        ("Sun 02:00-03:00 Europe/Berlin", "2026-10-25T01:30:00+00:00", True),
        ("Sun 02:00-03:00 Europe/Berlin", "2026-10-25T02:00:00+00:00", False),
    ],
)
def test_what_the_clock_there_says_decides(text, when, expected):
    assert holds(text, when) is expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mon-Fri 08:00-18:00", "is not understood"),
        ("weekdays 8-18 UTC", "is not understood"),
        ("Mon-Fry 08:00-18:00 UTC", '"Fry" is no day'),
        ("Mon 08:00-25:00 UTC", "No clock shows 25:00"),
        ("Mon 08:00-08:00 UTC", "is no time at all"),
        ("Mon 24:00-08:00 UTC", "is no time at all"),
        ("Mon 08:00-18:00 Europe/Berlim", "no time zone"),
        ("Mon 08:00-18:00 ../../etc/passwd", "no time zone"),
        ("Mon 08:00-18:00 Europe", "no time zone"),
        (";", "No hours"),
        (";".join(["08:00-09:00 UTC"] * 21), "more than 20"),
    ],
)
def test_hours_that_cant_be_read_say_why(text, words):
    with pytest.raises(BadHours, match=words):
        windows_of(text)
