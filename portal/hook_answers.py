"""What every address of webhooks answers; a room says whom it believes and which task reads on."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from portal import inbox
from portal.models import Delivery

Receive = Callable[[Mapping[str, str], bytes, datetime], tuple[Delivery, bool]]
Refuse = Callable[[str, int, datetime], object]


def answer(
    request: HttpRequest,
    receive: Receive,
    refuse: Refuse,
    *,
    refusal: type[Exception],
    sentence: str,
    task: Any,
) -> HttpResponse:
    """Keeps a delivery, once; a task reads it. A repetition is answered like the first.

    `receive` takes (headers in lower case, body, now) and raises `refusal` for what it does not
    believe, which is answered by `sentence` whatever the reason. `refuse` notes (reason, size,
    now) of a body that was too large to be read.
    """
    now = timezone.now()
    try:
        body = inbox.read_body(request)
    except inbox.TooLarge as error:
        refuse(str(error), error.size, now)
        return _said(f"{error}\n", 413)
    except inbox.Broken as error:
        return _said(f"{error}\n", 400)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        delivery, new = receive(headers, body, now)
    except refusal:
        return _said(sentence, 403)
    if new:
        # A broker that is away must not let them send again: the tick offers what is kept.
        transaction.on_commit(lambda: task.delay(delivery.pk), robust=True)
    return _said("Received.\n", 202)


def _said(sentence: str, status: int) -> HttpResponse:
    return HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8")
