"""Sends webhooks: looks which builds have changed, and posts what their vendor makes of it.

One thread looks, under the world's lock and briefly. Each instance that has targets posts from a
thread of its own, so that a slow receiver delays nobody else and no request to the sandbox waits.
"""

import heapq
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import count

import requests

from .engine import Instance, World
from .faults import Fault
from .vendors import VENDORS
from .watch import Change
from .wire import Changed, Outgoing

LOOK_EVERY = 0.02  # seconds
KEPT = 10_000


@dataclass
class Delivery:
    """One webhook. `status` is the last answer's: None while it is on its way, or for no answer."""

    outgoing: Outgoing = field(repr=False)
    at: float
    pipeline: str
    build: int
    status: int | None = None
    attempts: int = 0
    error: str = ""
    faults: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """For the control endpoint: without headers and body."""
        shown = {name: value for name, value in vars(self).items() if name != "outgoing"}
        return {"url": self.outgoing.url, **shown}


class Courier:
    """All webhooks of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rounds: dict[str, _Round] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.crashes: list[Exception] = []  # faults of a vendor's code, not of a receiver

    def start(self) -> None:
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name="sandbox-hooks", daemon=True)
        self._thread.start()
        for each in self._rounds.values():
            each.start()

    def stop(self) -> None:
        """Sends nothing more. What was to be sent is sent after the next start()."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None
        for each in self._rounds.values():
            each.stop()

    def deliveries(self, prefix: str) -> list[Delivery]:
        """What was sent or tried for one instance, oldest first."""
        found = self._rounds.get(prefix)
        return list(found.deliveries) if found else []

    def _run(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            for instance in list(self._world.instances.values()):
                if instance.hooks:
                    self._look(instance)

    def _look(self, instance: Instance) -> None:
        with self._world.lock:
            instance.settle()
            made = [
                delivery
                for change in instance.watch.changes(instance.now())
                for delivery in self._made(instance, change)
            ]
            struck = [(delivery, instance.faults.strike_hook()) for delivery in made]
        for delivery, faults in struck:
            self._round(instance).take(delivery, faults)

    def _made(self, instance: Instance, change: Change) -> list[Delivery]:
        render, build = VENDORS[instance.vendor].hooks, change.build
        made: list[Delivery] = []
        for hook in instance.hooks.values():
            if render is None or not hook.wants(build.pipeline.name):
                continue
            changed = Changed(instance, build, change.before, change.after, change.at, hook)
            try:
                outgoing = render(changed, hook.url, hook.secret)
            except Exception as error:  # one vendor's mistake stops no other
                traceback.print_exception(error, file=sys.stderr)
                self.crashes.append(error)
                continue
            made += [
                Delivery(one, change.at, build.pipeline.name, build.number) for one in outgoing
            ]
        return made

    def _round(self, instance: Instance) -> "_Round":
        known = self._rounds.get(instance.prefix)
        if known is None:
            known = self._rounds[instance.prefix] = _Round(instance)
            known.start()
        return known


class _Round:
    """The deliveries of one instance, in the order in which they are due."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._number = count()
        self._held: Delivery | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._thread: threading.Thread | None = None
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)

    def start(self) -> None:
        self._ended = False
        name = f"sandbox-hooks-{self._instance.prefix}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=1)  # one that hangs at a receiver ends by its own timeout

    def take(self, delivery: Delivery, struck: list[Fault]) -> None:
        """A new delivery, with the faults that hit it."""
        delivery.faults = [fault.kind for fault in struck]
        self.deliveries.append(delivery)
        if "lost" in delivery.faults:
            return
        if "corrupted" in delivery.faults:
            delivery.outgoing = _corrupted(delivery.outgoing)
        wait = sum(fault.seconds for fault in struck if fault.kind in ("delayed", "reordered"))
        with self._changed:
            self._schedule(delivery, wait)
            if "repeated" in delivery.faults:
                self._schedule(delivery, wait)
            if "reordered" in delivery.faults:
                self._held = delivery
            elif self._held is not None:
                self._release(self._held)
                self._held = None
            self._changed.notify()

    def _schedule(self, delivery: Delivery, wait: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + wait, next(self._number), delivery))

    def _release(self, held: Delivery) -> None:
        """Sends now what waits for later."""
        mine = [entry for entry in self._waiting if entry[2] is held]
        self._waiting = [entry for entry in self._waiting if entry[2] is not held]
        heapq.heapify(self._waiting)
        for _ in mine:
            self._schedule(held, 0)

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (delivery := self._next()) is not None:
                self._post(session, delivery)

    def _next(self) -> Delivery | None:
        """The next one when it is due; None at the end."""
        with self._changed:
            while not self._ended:
                now = time.monotonic()
                if self._waiting and self._waiting[0][0] <= now:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(self._waiting[0][0] - now if self._waiting else None)
        return None

    def _post(self, session: requests.Session, delivery: Delivery) -> None:
        outgoing = delivery.outgoing
        status, error = None, ""
        try:
            answer = session.post(
                outgoing.url,
                data=outgoing.body,
                headers=outgoing.headers,
                timeout=outgoing.timeout,
                allow_redirects=outgoing.redirect,
            )
            status = answer.status_code
        except requests.RequestException as failed:
            error = type(failed).__name__
        delivery.status, delivery.error = status, error
        delivery.attempts += 1
        if (status is None or status >= 500) and delivery.attempts <= len(outgoing.retries):
            wait = outgoing.retries[delivery.attempts - 1] / self._instance.clock.speed
            with self._changed:
                self._schedule(delivery, wait)


def _corrupted(outgoing: Outgoing) -> Outgoing:
    middle = len(outgoing.body) // 2
    body = bytearray(outgoing.body)
    body[middle : middle + 1] = b"#" if body[middle : middle + 1] != b"#" else b"%"
    return replace(outgoing, body=bytes(body))
