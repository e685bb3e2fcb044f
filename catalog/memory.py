"""Gives memory back to the system after a large reading; a worker lives for weeks."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_USUAL = gc.get_threshold()


@contextmanager
def rarely_searched() -> Iterator[None]:
    """While ten thousand documents are read: Python looks through them for circles again and again,
    which takes a fifth of the time, and there are none."""
    gc.set_threshold(20 * _USUAL[0], *_USUAL[1:])
    try:
        yield
    finally:
        gc.set_threshold(*_USUAL)


def give_back() -> None:
    """What Python has freed and the C library still holds. Best effort."""
    gc.collect()
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    """glibc's malloc_trim(); None where the C library has none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
