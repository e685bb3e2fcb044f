"""Waiting for what the sandbox will do by itself, with an end to patience."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(ask: Callable[[], T], seconds: float = 10.0) -> T:
    """Asks until the answer is true, and gives it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"Still waiting after {seconds} seconds; the last answer was {answer!r}.")
