"""Faults on demand: what an instance does wrong, on which routes, how often."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

KINDS = {
    "slow": "waits `seconds`, then answers",
    "rate_limit": "refuses with the vendor's 429, to be tried again after `seconds`",
    "fail": "answers with `status` (500, 502, 503 …) as the vendor or a proxy does",
    "html200": "a login page with 200, as a proxy in front gives it",
    "redirect": "302 to a login page on another host",
    "garbage": "200, called JSON, that is no JSON",
    "endless": "200 with a JSON body that never ends, a piece every `seconds`",
    "drop": "closes the connection before doing anything",
    "lose_answer": "does what was asked, then closes the connection without an answer",
    "truncate": "does what was asked, then closes the connection in the middle of the answer",
}

# What may happen to a webhook on its way. Their route is always "hook".
HOOK_KINDS = {
    "lost": "is never sent",
    "repeated": "is sent twice",
    "reordered": "is sent after the one that follows it, or after `seconds`",
    "delayed": "is sent `seconds` later, with the signature of before",
    "corrupted": "is sent with one byte of its body changed",
}


@dataclass
class Fault:
    """One fault. `route` is a route class, "read", "write" or "any".

    `times`: how many requests it still hits (None: no end). `probability` with `seed`: which of
    the matching requests it hits.
    """

    kind: str
    route: str = "any"
    times: int | None = None
    probability: float = 1.0
    seconds: float = 1.0
    status: int = 500
    seed: int = 0
    hits: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS | HOOK_KINDS:
            known = ", ".join(sorted(KINDS | HOOK_KINDS))
            raise ValueError(f"Unknown fault {self.kind!r}; known are {known}.")
        if self.kind in HOOK_KINDS:
            self.route = "hook"
        self._random = random.Random(self.seed)  # noqa: S311  (repeatable on purpose)

    def strikes(self, routes: Iterable[str]) -> bool:
        """True when it hits this request; counts it."""
        if self.times == 0 or self.route not in routes:
            return False
        if self.probability < 1 and self._random.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        self.hits += 1
        return True


class FaultBoard:
    """The faults of one instance, in the order in which they were set."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def strike(self, route: str, *, write: bool) -> list[Fault]:
        """The faults that hit this request. Pages for people are spared unless named."""
        routes = {route}
        if route != "page":
            routes |= {"any", "write" if write else "read"}
        return [fault for fault in self._faults if fault.strikes(routes)]

    def strike_hook(self) -> list[Fault]:
        """The faults that hit this delivery."""
        return [fault for fault in self._faults if fault.strikes(("hook",))]

    def as_dicts(self) -> list[dict[str, object]]:
        return [
            {name: value for name, value in vars(fault).items() if not name.startswith("_")}
            for fault in self._faults
        ]
