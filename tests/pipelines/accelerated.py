"""Minutes of a running Stagedoor in seconds: the portal's and the sandbox's clock jump together.

What beat does every few seconds happens here at once after each jump, and tasks run where they
are enqueued. All else is real: the requests, the database, the pages.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest import mock

from celery import current_app
from django.conf import settings
from django.utils import timezone

from pipelines import budget, tasks

Jump = Callable[[float], None]


class Accelerated:
    """`run(seconds)` lets time pass; `jump` also moves the sandbox's clock."""

    def __init__(self, jump: Jump) -> None:
        self._jump = jump
        self._now = timezone.now
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return self._now() + self._ahead

    def run(
        self, seconds: float, look: Callable[[], object] = lambda: None, every: float = 60
    ) -> None:
        """Ticks as often as beat does, and looks every so many seconds."""
        period = settings.TICK_SECONDS
        for tick in range(round(seconds / period)):
            self.advance(period)
            tasks.tick()
            if tick % max(1, round(every / period)) == 0:
                look()

    def advance(self, seconds: float) -> None:
        """Lets time pass without a tick."""
        self._ahead += timedelta(seconds=seconds)
        self._jump(seconds)


@contextmanager
def accelerated(jump: Jump) -> Iterator[Accelerated]:
    """Takes the clock over; everything that asks for the time through Django sees it."""
    clock = Accelerated(jump)
    eager = current_app.conf.task_always_eager
    current_app.conf.task_always_eager = True
    try:
        with (
            mock.patch.object(timezone, "now", clock.now),
            mock.patch.object(budget, "sleep", clock.advance),
        ):
            yield clock
    finally:
        current_app.conf.task_always_eager = eager
