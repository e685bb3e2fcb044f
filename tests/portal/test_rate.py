"""What is counted by the minute."""

import pytest

from portal.process_cache import notes
from portal.rate import within


@pytest.fixture(autouse=True)
def _empty():
    notes.clear()


def test_the_first_ones_of_a_minute_pass_and_no_more():
    assert [within("a", 2) for _ in range(4)] == [True, True, False, False]


def test_each_key_counts_by_itself():
    assert within("a", 1)
    assert within("b", 1)
    assert not within("a", 1)
