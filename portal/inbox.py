"""Receiving webhooks, for any room: bounded, kept once, answered at once, read later by a task.

A receiver is a name such as "pipelines:buildkite". Who believes a delivery, and what it means, is
the room's business; a body is kept only until it has been read, and neither it nor a header is
ever logged.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Q
from django.http import HttpRequest

from portal.models import Delivery
from portal.text import storable

MAX_BODY = 1_000_000
KEPT_FOR = timedelta(days=7)
# A stranger may send without end: what is refused is kept once for each reason, and noted at most
# this often.
NOTE_EVERY = timedelta(seconds=1)
MAX_REASONS = 20
# The task that was sent with a delivery has read it by then, unless it is lost.
OVERDUE = timedelta(seconds=10)
# Given up by then: whatever keeps it from being read would keep every sweep busy.
HOPELESS = timedelta(hours=1)
# What tells events apart. Others may hold secrets, and none is needed once it is believed.
KEPT_HEADERS = ("content-type", "event", "slug")
REFUSED = "refused:"

Status = Delivery.Status


class TooLarge(Exception):
    """The body is larger than MAX_BODY; `size` is what was announced or read."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The body is larger than {MAX_BODY:,} bytes.")
        self.size = size


class Broken(Exception):
    """The sender went away before the body was whole."""


def read_body(request: HttpRequest) -> bytes:
    """The raw body; raises TooLarge, where a length is announced without reading anything."""
    announced = request.headers.get("Content-Length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > MAX_BODY:
        raise TooLarge(int(announced))
    try:
        body = request.read(MAX_BODY + 1)
    except OSError:
        raise Broken("The body did not arrive whole.") from None
    if len(body) > MAX_BODY:
        raise TooLarge(len(body))
    return body


def keep(
    receiver: str, delivery_id: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> tuple[Delivery, bool]:
    """Keeps a believed delivery; False when the same was here before."""
    wanted = {
        name: storable(value, 200)
        for name, value in headers.items()
        if any(word in name for word in KEPT_HEADERS)
    }
    return Delivery.objects.get_or_create(
        receiver=receiver,
        delivery_id=_usable(delivery_id, body),
        defaults={"received_at": now, "size": len(body), "headers": wanted, "body": body},
    )


def take_once(receiver: str, delivery_id: str, event: str, now: datetime) -> bool:
    """Notes what may be used once only; False when it was used before. In the caller's transaction:
    what fails may be sent again."""
    delivery, new = keep(receiver, delivery_id, {}, b"", now)
    if new:
        finish(delivery.pk, Status.DONE, event=event, now=now)
    return new


def refuse(receiver: str, reason: str, size: int, now: datetime) -> None:
    """Notes that a delivery was not believed, for an administrator; its content is not kept."""
    reason = storable(reason, 300)
    key = {"receiver": receiver, "delivery_id": REFUSED + _digest(reason.encode())}
    known = Delivery.objects.filter(**key).values_list("received_at", flat=True).first()
    if known is not None and known > now - NOTE_EVERY:
        return
    # The size comes from whoever sent it, who may have announced anything.
    values = {"received_at": now, "processed_at": now, "size": min(size, 2_147_483_647)}
    values |= {"status": Status.REFUSED, "reason": reason}
    Delivery.objects.update_or_create(**key, defaults=values)
    if known is None:
        _forget_reasons(receiver)


def finish(pk: int, status: str, *, event: str = "", reason: str = "", now: datetime) -> bool:
    """Notes what became of a delivery and drops its body; False when that was done before."""
    waiting = Delivery.objects.filter(pk=pk, status=Status.WAITING)
    return bool(
        waiting.update(
            status=status,
            event=storable(event, 100),
            reason=storable(reason, 300),
            processed_at=now,
            headers={},
            body=b"",
        )
    )


def waiting(pk: int) -> Delivery | None:
    """A delivery that is to be read; None when it has been, or is gone."""
    return Delivery.objects.filter(pk=pk, status=Status.WAITING).first()


def overdue(room: str, now: datetime, limit: int) -> list[int]:
    """Ids of a room's deliveries whose task was lost, the oldest first; gives up on hopeless ones.

    `room` is the part of the receiver before the colon.
    """
    mine = Delivery.objects.filter(receiver__startswith=f"{room}:", status=Status.WAITING)
    for pk in mine.filter(received_at__lt=now - HOPELESS).values_list("pk", flat=True)[:limit]:
        finish(pk, Status.IGNORED, reason="It could not be read for an hour.", now=now)
    lost = mine.filter(received_at__lt=now - OVERDUE).order_by("received_at", "pk")
    return list(lost.values_list("pk", flat=True)[:limit])


def newest(receiver: str, limit: int = 20) -> list[Delivery]:
    """The last deliveries, newest first, without their bodies."""
    return list(Delivery.objects.filter(receiver=receiver).defer("body", "headers")[:limit])


def forget(now: datetime) -> int:
    """Deletes what is older than a week; how many there were."""
    old = Q(received_at__lt=now - KEPT_FOR)
    return Delivery.objects.filter(old).delete()[0]


def _forget_reasons(receiver: str) -> None:
    """Keeps the newest MAX_REASONS."""
    refused = Delivery.objects.filter(receiver=receiver, status=Status.REFUSED)
    old = list(refused.values_list("pk", flat=True)[MAX_REASONS:])
    if old:
        Delivery.objects.filter(pk__in=old).delete()


def _usable(delivery_id: str, body: bytes) -> str:
    """The id itself where it can be kept whole, else its digest; the body's where there is none."""
    plain = delivery_id.isascii() and delivery_id.isprintable()
    if 0 < len(delivery_id) <= 100 and plain and not delivery_id.startswith(REFUSED):
        return delivery_id
    return f"sha256:{_digest(delivery_id.encode(errors='replace') or body)}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
