"""One question for the newest builds of all pipelines, where a vendor has such a list.

It spares a catalog of thousands of services the reading of each: what nobody looks at is asked for
once a server. A feed that no longer reaches back to the last one is not relied on, and the
pipelines are read one by one again (polling.overdue).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from pipelines.budget import Purpose
from pipelines.builds import keep, known_of
from pipelines.models import Pipeline, Server
from pipelines.polling import HOOKS_ALIVE, LOOKING, linked
from pipelines.providers import PROVIDERS
from pipelines.providers.base import FINAL, Capability, HookScope, RemoteBuild
from pipelines.providers.errors import BudgetSpent, ProviderError
from pipelines.servers import adapter_of, client_for, may_ask, note_answer, note_success, pause_over

EVERY = timedelta(seconds=30)
# With webhooks alive it only has to find what they missed.
EVERY_WITH_HOOKS = timedelta(minutes=5)
LEASE = timedelta(minutes=2)
LIMIT = 100


def read_feed(server_id: int) -> bool:
    """Reads a server's newest builds and keeps those of linked pipelines; whether it did.

    Single-flight: does nothing while another worker asks, or just did.
    """
    now = timezone.now()
    if not _free(now).filter(pk=server_id).update(feed_claimed_until=now + LEASE):
        return False
    server = Server.objects.get(pk=server_id)
    values: dict[str, object] = {}
    try:
        if not may_ask(server, now):
            return False
        builds = list(client_for(server, Purpose.SWEEP).feed(LIMIT))
        _keep(server, builds, now)
        if _reaches_back(server, builds):
            values["feed_read_at"] = now
    except BudgetSpent:
        return False
    except ProviderError as error:
        note_answer(server, error)
        return False
    finally:
        pause = timezone.now() + _every(server, now)
        Server.objects.filter(pk=server_id).update(feed_claimed_until=pause, **values)
    note_success(server)
    return True


def due(now: datetime) -> list[int]:
    """Ids of the servers whose feed is to be read: those with a linked pipeline that nobody looks
    at, for what somebody looks at is read by itself."""
    unseen = Q(refresh_wanted_at=None) | Q(refresh_wanted_at__lt=now - LOOKING)
    fed = Pipeline.objects.filter(linked() & unseen)
    servers = _free(now).filter(pk__in=fed.values("server"))
    return list(servers.order_by("pk").values_list("pk", flat=True))


def _free(now: datetime) -> QuerySet[Server]:
    fed = [slug for slug, adapter in PROVIDERS.items() if Capability.FEED in adapter.capabilities]
    unclaimed = Q(feed_claimed_until=None) | Q(feed_claimed_until__lt=now)
    return Server.objects.filter(unclaimed, pause_over(now), enabled=True, provider__in=fed)


def _keep(server: Server, builds: Sequence[RemoteBuild], now: datetime) -> None:
    names = {build.pipeline for build in builds}
    rows = Pipeline.objects.filter(linked(), server=server, external_id__in=names)
    pipelines = {pipeline.external_id: pipeline for pipeline in rows}
    found = [(pipelines[build.pipeline], build) for build in builds if build.pipeline in pipelines]
    ended = [(pipeline, build) for pipeline, build in found if build.state in FINAL]
    moving = [(pipeline, build) for pipeline, build in found if build.state not in FINAL]
    # What moves, and what somebody looks at, is read in full.
    news = keep(ended, now) | _unlike(moving)
    Pipeline.objects.filter(pk__in=news).update(due_at=now)


def _unlike(moving: Sequence[tuple[Pipeline, RemoteBuild]]) -> set[int]:
    """The pipelines of those that are not known, or in another state."""
    states = {key: build.state for key, build in known_of(moving).items()}
    return {
        pipeline.pk
        for pipeline, build in moving
        if states.get((pipeline.pk, build.external_id)) != build.state
    }


def _reaches_back(server: Server, builds: Sequence[RemoteBuild]) -> bool:
    """Whether no build can have been missed since the feed was last read."""
    adapter = adapter_of(server)
    most = min(LIMIT, adapter.feed_most) if adapter else LIMIT
    if len(builds) < most or server.feed_read_at is None:
        return True
    oldest = builds[-1].queued_at
    return oldest is not None and oldest <= server.feed_read_at


def _every(server: Server, now: datetime) -> timedelta:
    adapter = adapter_of(server)
    by_server = adapter is not None and adapter.hook_scope is HookScope.SERVER
    alive = by_server and server.hook_seen_at and server.hook_seen_at > now - HOOKS_ALIVE
    return EVERY_WITH_HOOKS if alive else EVERY
