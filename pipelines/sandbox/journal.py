"""The sandbox's own log: what it was asked, and which starts it accepted.

A test proves with it that no request id stands twice, whatever the portal believes.
"""

from collections import deque
from dataclasses import asdict, dataclass, field


@dataclass
class Entry:
    """One HTTP request to a vendor's address."""

    id: int
    at: float
    instance: str
    method: str
    path: str
    route: str
    user: str = ""
    status: int | None = None  # None: the connection was closed without an answer
    faults: list[str] = field(default_factory=list)


@dataclass
class Accepted:
    """One start, retry or rebuild that was carried out."""

    at: float
    entry: int  # the Entry that asked for it
    instance: str
    pipeline: str
    action: str  # start, rebuild, retry, folded
    request_id: str = ""
    user: str = ""
    queue_id: int | None = None
    build: int | None = None


class Journal:
    """Requests (the newest 100,000) and accepted starts (all)."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=100_000)
        self.accepted: list[Accepted] = []
        self._next = 1

    def open(self, at: float, instance: str, method: str, path: str, route: str) -> Entry:
        entry = Entry(self._next, at, instance, method, path, route)
        self._next += 1
        self.entries.append(entry)
        return entry

    def as_dicts(self, instance: str = "") -> dict[str, list[dict[str, object]]]:
        """Both lists as JSON types, oldest first; of one instance when it is named."""
        return {
            "requests": [asdict(e) for e in self.entries if instance in ("", e.instance)],
            "accepted": [asdict(a) for a in self.accepted if instance in ("", a.instance)],
        }
