"""Background work of the catalog: each task is one call of a plain function."""

from celery import shared_task
from django.utils import timezone

from catalog import digest, runs, sync, webhooks
from portal import inbox

# How many lost deliveries one tick offers; what is left over is due at the next one.
MAX_DELIVERIES = 50


@shared_task
def tick() -> None:
    """Hands out the sources that are due and the runs that got lost."""
    for run_id in runs.offer():
        sync_source.delay(run_id)
    for delivery_id in inbox.overdue(webhooks.ROOM, timezone.now(), MAX_DELIVERIES):
        read_delivery.delay(delivery_id)
    for digest_id in digest.offer(timezone.now()):
        send_digest.delay(digest_id)
    sync.retire_orphans()


@shared_task
def sync_source(run_id: int) -> None:
    """Does one SyncRun."""
    sync.run(run_id)


@shared_task
def read_delivery(delivery_id: int) -> None:
    """Follows one webhook; what it makes due is read now and not at the next tick."""
    if webhooks.process(delivery_id, timezone.now()):
        for run_id in runs.offer():
            sync_source.delay(run_id)


@shared_task
def send_digest(digest_id: int) -> None:
    """Tells one team what is wrong with its descriptors."""
    digest.send(digest_id, timezone.now())
