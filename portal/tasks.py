"""Background work of the ground floor: showing that worker, beat and broker live."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from portal import inbox, leaving, notify
from portal.health import touch
from portal.models import CacheEntry
from portal.social import membership

logger = logging.getLogger(__name__)


@shared_task
def tick() -> None:
    """Beat, broker and worker together: the whole way has been gone."""
    touch("tick")
    leaving.sweep()


@shared_task
def forget_sessions() -> None:
    """Deletes the expired ones: they hold who was signed in, and every visitor can make some.

    So can every visitor of what the cache counts.
    """
    call_command("clearsessions")
    CacheEntry.objects.filter(expires__lt=timezone.now()).delete()


@shared_task
def read_members() -> None:
    """Everybody's groups at GitHub and Bitbucket, where a credential for that is set."""
    membership.read_all(timezone.now())


@shared_task(bind=True, max_retries=5)
def mail(self: Any, address: str, subject: str, text: str) -> None:
    """One mail, tried again for half an hour where that can help."""
    try:
        notify.send_mail(address, subject, text)
    except notify.NotSent as error:
        logger.warning("a mail was not sent: %s", error)
        if not error.final:
            raise self.retry(countdown=60 * 2**self.request.retries) from None


@shared_task
def forget_deliveries() -> None:
    """Deletes old webhooks: by then the builds that they were about have been read many times."""
    inbox.forget(timezone.now())


@worker_ready.connect
def show_life(sender: Any, **kwargs: object) -> None:
    """The worker's own heartbeat: a full queue must not look like a dead worker."""
    sender.timer.call_repeatedly(settings.TICK_SECONDS, _touch_worker)
    _touch_worker()


def _touch_worker() -> None:
    try:
        close_old_connections()
        touch("worker")
    except DatabaseError as error:
        logger.warning("heartbeat not written: %s", type(error).__name__)
