"""What a page says of the servers that its builds come from: silent, or read less often."""

from django import template
from django.http import HttpRequest
from django.template import Context
from django.utils import timezone

from pipelines.models import Server
from pipelines.server_status import notices_of

register = template.Library()


@register.inclusion_tag("pipelines/_server_notice.html", takes_context=True)
def server_notice(context: Context, server: Server) -> dict[str, list[str]]:
    """The sentences about one server."""
    return {"sentences": _notices(context).get(server.pk, [])}


@register.inclusion_tag("pipelines/_server_notice.html", takes_context=True)
def server_notices(context: Context) -> dict[str, list[str]]:
    """The sentences about all servers."""
    return {"sentences": [said for found in _notices(context).values() for said in found]}


def _notices(context: Context) -> dict[int, list[str]]:
    """Read once for a page, however many pipelines it shows: servers are few."""
    request: HttpRequest = context["request"]
    known: dict[int, list[str]] | None = getattr(request, "server_notices", None)
    if known is None:
        known = notices_of(Server.objects.filter(enabled=True), timezone.now())
        request.server_notices = known  # type: ignore[attr-defined]
    return known
