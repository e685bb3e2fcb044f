"""Gives memory back to the system after a large reading; a worker lives for weeks."""

import ctypes
import gc
from functools import cache
from typing import Any


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
