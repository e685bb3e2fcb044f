"""Where hosts of repositories send their webhooks: no session, an answer within milliseconds."""

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from catalog import tasks, webhooks
from portal import inbox

# One answer for every refusal: it does not tell strangers which sources there are.
REFUSED = "Not accepted. The reason stands on the source's page in Stagedoor.\n"


@login_not_required
@csrf_exempt
@require_POST
def source_hook(request: HttpRequest, slug: str) -> HttpResponse:
    """Keeps what a host tells, once; a task reads it. A repetition is answered like the first."""
    now = timezone.now()
    try:
        body = inbox.read_body(request)
    except inbox.TooLarge as error:
        webhooks.refuse(webhooks.find(slug), str(error), error.size, now)
        return _said(f"{error}\n", 413)
    except inbox.Broken as error:
        return _said(f"{error}\n", 400)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        delivery, new = webhooks.receive(slug, headers, body, now)
    except webhooks.HookRefused:
        return _said(REFUSED, 403)
    if new:
        # A broker that is away must not let the host send again: the tick offers what is kept.
        transaction.on_commit(lambda: tasks.read_delivery.delay(delivery.pk), robust=True)
    return _said("Received.\n", 202)


def _said(sentence: str, status: int) -> HttpResponse:
    return HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8")
