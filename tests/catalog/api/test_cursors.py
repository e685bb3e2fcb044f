"""Cursors: what was written is read, and whatever else comes is refused."""

import base64
import json

import pytest

from catalog.api import cursors
from catalog.api.cursors import Search, Start
from catalog.api.filters import FilterError
from catalog.api.ordering import Order

SEARCH = Search(("kind=a",), '{"a":"b"}', (Order("metadata.name", True),), "term", ("x",))
START = Start(("pay",), "component:default/pay", True)


def forged(**changes):
    value = json.loads(base64.urlsafe_b64decode(cursors.write(SEARCH, START) + "=="))
    text = json.dumps({**value, **changes})
    return base64.urlsafe_b64encode(text.encode()).decode()


def test_what_was_written_is_read():
    assert cursors.read(cursors.write(SEARCH, START)) == (SEARCH, START)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "ä",
        "e30",
        base64.urlsafe_b64encode(b"[" * 9000).decode(),
        base64.urlsafe_b64encode(b'"text"').decode(),
        "a" * 30_000,
        forged(ref=3),
        forged(ref="a\x00"),
        forged(ref="\ud800"),
        forged(backwards="no"),
        forged(values=[]),
        forged(values=[1]),
        forged(orders=[["metadata.name"]]),
        forged(orders=[[["x"], True]]),
        forged(filters="kind=a"),
        forged(orders=[["a", True]] * 6, values=["x"] * 6),
    ],
)
def test_what_is_forged_is_refused(text):
    with pytest.raises(FilterError):
        cursors.read(text)
