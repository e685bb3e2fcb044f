"""Celery's way in: each task is one call of a plain function with a primary key.

A broker may lose messages; the tick offers again whatever rows say is due.
"""

import logging
from typing import Any

from celery import shared_task
from django.utils import timezone

from pipelines import (
    approvals,
    builds,
    checks,
    discovery,
    ended_tokens,
    feeds,
    freezes,
    glass_mail,
    leavers,
    notices,
    outbox,
    schedule,
    standing_triggers,
    webhooks,
)
from pipelines import dispatch as dispatching
from pipelines import reconcile as reconciling
from pipelines.models import Trigger
from portal import inbox, notify

# How much one tick offers; what is left over is due at the next one.
MAX_SEND = 50
MAX_ASK = 50
MAX_REFRESH = 20
MAX_DELIVERIES = 50
MAX_GLASS = 20

logger = logging.getLogger(__name__)

# A message is tried again after a minute, two, four, eight and sixteen.
MAX_TRIES = 5
PAUSE = 60


@shared_task
def tick() -> None:
    """Offers all that is due; every function that a task calls claims its row first."""
    now = timezone.now()
    if not schedule.take_turn(now):
        return
    leavers.sweep()
    ended_tokens.sweep()
    outbox.expire_leases(now)
    approvals.expire(now)
    approvals.release_all(now)
    freezes.cover()
    for pk in standing_triggers.due(now, MAX_SEND):
        fire.delay(pk)
    for pk in outbox.due_to_send(now, MAX_SEND):
        dispatch.delay(pk)
    for pk in outbox.due_to_ask(now, MAX_ASK):
        reconcile.delay(pk)
    for pk in inbox.overdue(webhooks.ROOM, now, MAX_DELIVERIES):
        read_delivery.delay(pk)
    for pk in glass_mail.due(now, MAX_GLASS):
        tell_of_glass.delay(pk)
    for pk in discovery.due(now):
        discover.delay(pk)
    for pk in checks.due(now):
        check.delay(pk)
    for pk in feeds.due(now):
        read_feed.delay(pk)
    for pk in builds.due(now, MAX_REFRESH):
        refresh.delay(pk)
    for pk in notices.due(now):
        tell.delay(pk)
    for pk in notices.incidents_due():
        tell_of_incident.delay(pk)


@shared_task
def dispatch(trigger_id: int) -> None:
    dispatching.dispatch(trigger_id)


@shared_task
def fire(standing_id: int) -> None:
    trigger = standing_triggers.fire(standing_id, timezone.now())
    if trigger is not None and trigger.state == Trigger.State.QUEUED:
        dispatch.delay_on_commit(trigger.pk)


@shared_task
def tell(trigger_id: int) -> None:
    _send(notices.tell(trigger_id, timezone.now()))


@shared_task
def tell_of_incident(incident_id: int) -> None:
    _send(notices.tell_of_incident(incident_id, timezone.now()))


def _send(messages: list[notices.Message]) -> None:
    for message in messages:
        send.delay(message.address, message.subject, message.text)


@shared_task(bind=True, max_retries=MAX_TRIES)
def send(self: Any, address: str, subject: str, text: str) -> None:
    """One mail; or a word to Slack, where there is no address."""
    if not (notify.is_on() if address else notify.slack_is_on()):
        return
    try:
        if address:
            notify.send_mail(address, subject, text)
        else:
            notify.post_slack(text)
    except notify.NotSent as error:
        logger.warning("a message was not sent: %s", error)
        if not error.final:
            raise self.retry(countdown=PAUSE * 2**self.request.retries) from None


@shared_task
def reconcile(trigger_id: int) -> None:
    reconciling.reconcile(trigger_id)


@shared_task
def refresh(pipeline_id: int) -> None:
    builds.refresh(pipeline_id)


@shared_task
def read_delivery(delivery_id: int) -> None:
    for pk, seconds in webhooks.process(delivery_id, timezone.now()).items():
        refresh.apply_async((pk,), countdown=seconds or None)


@shared_task
def check(server_id: int) -> None:
    checks.check(server_id)


@shared_task
def read_feed(server_id: int) -> None:
    feeds.read_feed(server_id)


@shared_task
def discover(server_id: int) -> None:
    discovery.discover(server_id)


@shared_task
def tell_of_glass(glass_id: int) -> None:
    glass_mail.send(glass_id, timezone.now())
