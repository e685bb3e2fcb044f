"""Where hosts of repositories send their webhooks: no session, an answer within milliseconds."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from catalog import tasks, webhooks
from portal.hook_answers import answer

# One answer for every refusal: it does not tell strangers which sources there are.
REFUSED = "Not accepted. The reason stands on the source's page in Stagedoor.\n"


@login_not_required
@csrf_exempt
@require_POST
def source_hook(request: HttpRequest, slug: str) -> HttpResponse:
    """Keeps what a host tells, once; a task reads it."""
    return answer(
        request,
        lambda headers, body, now: webhooks.receive(slug, headers, body, now),
        lambda reason, size, now: webhooks.refuse(webhooks.find(slug), reason, size, now),
        refusal=webhooks.HookRefused,
        sentence=REFUSED,
        task=tasks.read_delivery,
    )
