"""What a process keeps of the catalog while its version stands: answers, counts, spellings.

Nothing here depends on the caller: only who may see everything is answered from it.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from threading import Lock
from typing import Any

from catalog.models import Entity
from portal.api_tokens import Caller

MAX_ENTRIES = 2_000
MAX_BYTES = 8_000_000
MAX_ONE = 500_000

# The catalog's version at the beginning of the request that this thread answers.
_version: ContextVar[int] = ContextVar("catalog_version", default=-1)


class Kept:
    """A bounded map that forgets everything when the version changes, else the least used."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._version = -1
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._size = 0

    def get(self, version: int, key: Hashable) -> Any:
        with self._lock:
            found = self._entries.get(key) if version == self._version else None
            if found is None:
                return None
            self._entries.move_to_end(key)
            return found[0]

    def put(self, version: int, key: Hashable, value: Any, size: int) -> None:
        """`size` in bytes, about. A value of a version that is over is not taken."""
        with self._lock:
            if version < self._version or size > MAX_ONE:
                return
            if version > self._version:
                self._entries.clear()
                self._size, self._version = 0, version
            self._size += size - self._entries.pop(key, (None, 0))[1]
            self._entries[key] = value, size
            while len(self._entries) > MAX_ENTRIES or self._size > MAX_BYTES:
                _, (_, freed) = self._entries.popitem(last=False)
                self._size -= freed

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._size, self._version = 0, -1


KEPT = Kept()


def begin(caller: Caller) -> int:
    """The version as it was when the token was looked at. What is found now is at least as new."""
    version = int(caller.also or 0)
    _version.set(version)
    return version


def kept(key: Hashable, make: Callable[[], Any], size: Callable[[Any], int] = lambda _: 200) -> Any:
    """The value under the key, made anew when the catalog has changed. Never None.

    `size` of a value, in bytes, about; the key, which a stranger may have written, is added.
    """
    version = _version.get()
    value = KEPT.get(version, key)
    if value is None:
        value = make()
        KEPT.put(version, key, value, size(value) + 3 * len(repr(key)))
    return value


def spellings(column: str, value: str) -> tuple[str, ...]:
    """How entities write this lower-case value of a column: ("Service", "service")."""
    return all_spellings(column).get(value, ())


def all_spellings(column: str) -> dict[str, tuple[str, ...]]:
    """{value in lower case: as entities write it}."""
    found: dict[str, tuple[str, ...]] = kept(
        ("spellings", column), lambda: _spellings(column), lambda _: 20_000
    )
    return found


def _spellings(column: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for written in Entity.objects.order_by().values_list(column, flat=True).distinct():
        found[written.lower()] = (*found.get(written.lower(), ()), written)
    return found
