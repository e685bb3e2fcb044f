"""Celery beat that shows that it lives, by itself and not through a worker."""

from celery.beat import PersistentScheduler
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from portal.health import touch


class HeartbeatScheduler(PersistentScheduler):
    """Writes a heartbeat on each turn; the database being away must not stop the schedule."""

    # Celery's default sleeps up to five minutes, which would look like a death.
    max_interval = settings.TICK_SECONDS

    def tick(self, *args: object, **kwargs: object) -> float:
        try:
            close_old_connections()
            touch("beat")
        except DatabaseError as error:
            self.logger.warning("heartbeat not written: %s", type(error).__name__)
        return super().tick(*args, **kwargs)
