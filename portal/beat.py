"""Celery beat that shows that it lives, by itself and not through a worker.

It runs as a process of its own (`celery beat`) or in a worker's thread (portal/celery.py).
"""

import time

from celery.beat import PersistentScheduler
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from portal.health import touch


class HeartbeatScheduler(PersistentScheduler):
    """Writes a heartbeat on its turns; the database being away must not stop the schedule."""

    # Celery's default sleeps up to five minutes, which would look like a death.
    max_interval = settings.TICK_SECONDS
    _touched = float("-inf")

    def tick(self, *args: object, **kwargs: object) -> float:
        # A thread turns each second, so that it can be stopped; that is no reason to write.
        if time.monotonic() - self._touched >= settings.TICK_SECONDS:
            self._touch()
        return super().tick(*args, **kwargs)

    def _touch(self) -> None:
        self._touched = time.monotonic()
        try:
            close_old_connections()
            touch("beat")
        except DatabaseError as error:
            self.logger.warning("heartbeat not written: %s", type(error).__name__)
