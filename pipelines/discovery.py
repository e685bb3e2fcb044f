"""Reads which pipelines the servers have, on schedule, and links the catalog to them anew."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from pipelines import budget
from pipelines.budget import Purpose
from pipelines.linking import link_entities
from pipelines.listing import refresh_pipelines
from pipelines.models import Server
from pipelines.providers.base import Limit
from pipelines.providers.errors import ProviderError, RateLimited
from pipelines.servers import adapter_of, may_ask, note_failure, note_success
from portal import credential_ages

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=10)
AFTER_FAILURE = timedelta(minutes=2)
LEASE = timedelta(minutes=15)


def discover(server_id: int, purpose: Purpose = Purpose.LIST) -> bool:
    """Lists a server's pipelines and links all entities anew; whether the list was read.

    Single-flight: does nothing while another worker lists this server. A list that failed changes
    nothing but the server's error.
    """
    now = timezone.now()
    if not _free(now).filter(pk=server_id).update(pipelines_claimed_until=now + LEASE):
        return False
    server = Server.objects.get(pk=server_id)
    wait, sent = AFTER_FAILURE, list[datetime]()
    try:
        if not may_ask(server, now):
            return False
        refresh_pipelines(server, purpose, sent)
        wait = max(EVERY, budget.list_pause(server, _limits(server), len(sent)))
    except ProviderError as error:
        if isinstance(error, RateLimited) and error.retry_after:
            wait = max(wait, timedelta(seconds=error.retry_after))
        note_failure(server, error)
        return False
    finally:
        Server.objects.filter(pk=server_id).update(
            pipelines_claimed_until=None, pipelines_due_at=timezone.now() + wait
        )
    Server.objects.filter(pk=server_id).update(pipelines_read_at=now)
    note_success(server)
    credential_ages.note_use(server.credential_ref)
    link_entities()
    return True


def due(now: datetime) -> list[int]:
    """Ids of the servers whose pipelines are to be listed."""
    servers = _free(now).filter(pipelines_due_at__lte=now)
    return list(servers.order_by("pipelines_due_at").values_list("pk", flat=True))


def _limits(server: Server) -> Sequence[Limit]:
    adapter = adapter_of(server)
    return adapter.limits if adapter else ()


def _free(now: datetime) -> QuerySet[Server]:
    unclaimed = Q(pipelines_claimed_until=None) | Q(pipelines_claimed_until__lt=now)
    return Server.objects.filter(unclaimed, enabled=True)
