"""Where CI servers send their webhooks: no session, no page, an answer within milliseconds."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from pipelines import tasks, webhooks
from pipelines.providers.base import Hook
from pipelines.providers.errors import HookRefused
from portal.hook_answers import answer

# One answer for every refusal: it does not tell strangers which servers there are.
REFUSED = "Not accepted. The reason stands on the server's page in Stagedoor's administration.\n"


@login_not_required
@csrf_exempt
@require_POST
def hook_receive(request: HttpRequest, slug: str) -> HttpResponse:
    """Keeps what a server tells, once; a task reads it."""
    secret = getattr(request, "path_secret", "")
    return answer(
        request,
        lambda headers, body, now: webhooks.receive(slug, Hook(headers, body, secret), now),
        lambda reason, size, now: webhooks.refuse(webhooks.find(slug), reason, size, now),
        refusal=HookRefused,
        sentence=REFUSED,
        task=tasks.read_delivery,
    )
