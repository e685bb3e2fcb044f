"""Builds as last seen: one vendor call serves all viewers, and what is known outlives a failure.

`want()` is what pages say, `refresh()` is what a worker does, `due()` is what the tick offers.
Builds are kept for good: triggers and audit point at them, and vendors forget their own.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from pipelines.bounds import number, text, usable_id, web_url
from pipelines.models import MOVING_STATES, Build, Pipeline, PipelineLink, Server, Trigger
from pipelines.outbox import State, move
from pipelines.providers.base import RemoteBuild
from pipelines.providers.errors import (
    Misconfigured,
    NotAuthorized,
    NotFound,
    ProviderError,
    RateLimited,
    Unavailable,
)
from pipelines.providers.provider import Provider
from pipelines.servers import client_for, note_failure, note_success

# While somebody looks: how old a reading may be, when a build moves and when none does.
FRESH_MOVING = timedelta(seconds=3)
FRESH_QUIET = timedelta(seconds=15)
FRESH_FAILED = timedelta(seconds=30)
# Somebody looks as long as a page asked within this time.
LOOKING = timedelta(seconds=20)
# Pages mark a pipeline at most this often, however many of them there are.
MARK_EVERY = timedelta(seconds=3)
# Linked pipelines that nobody looks at are read this often.
SLOW = timedelta(minutes=10)
# A worker that reads a pipeline for longer than this counts as dead.
LEASE = timedelta(minutes=3)
READ_LIMIT = 20
# Moving builds that fell out of the newest READ_LIMIT are asked for one by one, a few at a time.
STRAGGLERS = 5
MAX_WANTED = 100
# A delivery said that something changed, after the newest reading began.
HINTED = Q(hook_seen_at__gt=F("builds_tried_at"))
# These say something of the server and not only of one pipeline.
SERVER_WIDE = (Misconfigured, NotAuthorized, RateLimited, Unavailable)


def record(pipeline: Pipeline, remote: RemoteBuild, observed_at: datetime) -> Build:
    """Keeps what the vendor said at `observed_at`; older evidence never overwrites newer.

    May be repeated. A build that ended may move again: vendors reopen them. A build that carries
    the request id of a trigger of this pipeline becomes that trigger's, whatever state the trigger
    is in: the build is the better evidence. Raises ValueError for an id that can't be kept whole.
    """
    if not usable_id(remote.external_id, 200):
        raise ValueError("a build's id is empty or too long")
    values = _values(remote)
    with transaction.atomic():
        build, created = Build.objects.get_or_create(
            pipeline=pipeline,
            external_id=remote.external_id,
            defaults={"queued_at": observed_at, **values, "observed_at": observed_at},
        )
        if not created:
            rows = Build.objects.filter(pk=build.pk, observed_at__lte=observed_at)
            rows.update(**values, observed_at=observed_at)
            build.refresh_from_db()
        if build.trigger_id is None:
            trigger = _trigger_of(pipeline, remote.request_id)
            if trigger is not None:
                attach(build, trigger)
    return build


def attach(build: Build, trigger: Trigger) -> bool:
    """Ties a build to the trigger that started it; False when either has another already."""
    try:
        with transaction.atomic():
            free = Build.objects.filter(Q(trigger=None) | Q(trigger=trigger), pk=build.pk)
            if not free.update(trigger=trigger):
                return False
    except IntegrityError:
        return False
    build.trigger = trigger
    unsettled = [state for state in State.values if state != State.LINKED]
    move(trigger.pk, unsettled, State.LINKED, message="")
    return True


def refresh(pipeline_id: int) -> bool:
    """Reads the newest builds once, whoever asks; False when another worker does or just did.

    A failure keeps what is known and notes the error with its time. No transaction is open while
    the vendor is asked.
    """
    now = timezone.now()
    older = Q(builds_tried_at=None) | Q(builds_tried_at__lte=now - FRESH_MOVING / 2)
    claimed = _readable(now).filter(older | HINTED, pk=pipeline_id)
    if not claimed.update(refresh_claimed_until=now + LEASE, builds_tried_at=now):
        return False
    pipeline = Pipeline.objects.select_related("server").get(pk=pipeline_id)
    try:
        client = client_for(pipeline.server)
        builds = list(client.list_builds(pipeline.external_id, limit=READ_LIMIT))
        builds += _stragglers(client, pipeline, [build.external_id for build in builds], now)
    except ProviderError as error:
        _release(pipeline_id, builds_error=str(error))
        if isinstance(error, SERVER_WIDE):
            note_failure(pipeline.server, error)
        return True
    except Exception:
        _release(pipeline_id, builds_error="Stagedoor failed to read the answer; see its log.")
        raise
    _record_all(pipeline, builds, now)
    _release(pipeline_id, builds_error="", builds_read_at=now)
    note_success(pipeline.server)
    return True


def want(pipelines: Iterable[Pipeline], now: datetime) -> list[int]:
    """Says that somebody looks at these; returns the ids of those to refresh now.

    A page calls this and enqueues `tasks.refresh` for each id. Three queries at most, and one
    while the marks are young: a thousand viewers cost what one costs.
    """
    ids = [pipeline.pk for pipeline in pipelines][:MAX_WANTED]
    unmarked = Q(refresh_wanted_at=None) | Q(refresh_wanted_at__lt=now - MARK_EVERY)
    marked = list(Pipeline.objects.filter(unmarked, pk__in=ids).values_list("pk", flat=True))
    if not marked:
        return []
    stale = list(_readable(now).filter(_stale(now), pk__in=marked).values_list("pk", flat=True))
    Pipeline.objects.filter(pk__in=marked).update(refresh_wanted_at=now)
    return sorted(stale)


def hint(pipelines: Iterable[int], now: datetime) -> list[int]:
    """A delivery says that builds of these changed; returns the ids of those to read now.

    They are due even if they were just read. A hint that comes while a worker reads leaves its
    pipeline due, so that one more reading follows. What no entity links to is not read.
    """
    ids = list(pipelines)
    Pipeline.objects.filter(pk__in=ids).update(hook_seen_at=now)
    hinted = _readable(now).filter(HINTED | Q(builds_tried_at=None), pk__in=ids)
    return list(hinted.filter(_linked()).order_by("pk").values_list("pk", flat=True))


def due(now: datetime, limit: int) -> list[int]:
    """Ids of pipelines to read: hinted and looked at, then linked ones by age."""
    linked = _linked()
    looked_at = Q(refresh_wanted_at__gte=now - LOOKING) & _stale(now)
    urgent = _readable(now).filter(looked_at | (HINTED & Q(linked)))
    oldest = F("builds_tried_at").asc(nulls_first=True)
    ids = list(urgent.order_by(oldest, "pk").values_list("pk", flat=True)[:limit])
    old = Q(builds_tried_at=None) | Q(builds_tried_at__lt=now - SLOW)
    slow = _readable(now).filter(old, linked, gone_at=None).exclude(pk__in=ids)
    rest = slow.order_by(oldest, "pk").values_list("pk", flat=True)
    return ids + list(rest[: limit - len(ids)])


def _linked() -> Exists:
    return Exists(PipelineLink.objects.filter(pipeline=OuterRef("pk")))


def _readable(now: datetime) -> QuerySet[Pipeline]:
    """Pipelines whose server may be asked, and that no worker reads at the moment.

    The claim's condition stands on the row itself, not in a subquery: PostgreSQL looks at the row
    again after waiting for a concurrent claim, but not at a subquery's rows.
    """
    servers = Server.objects.filter(Q(not_before=None) | Q(not_before__lte=now), enabled=True)
    unclaimed = Q(refresh_claimed_until=None) | Q(refresh_claimed_until__lt=now)
    return Pipeline.objects.filter(unclaimed, server__in=servers)


def _stale(now: datetime) -> Q:
    """Pipelines whose reading is too old for somebody who looks."""
    moving = Exists(Build.objects.filter(pipeline=OuterRef("pk"), state__in=MOVING_STATES))
    sent = Exists(Trigger.objects.filter(pipeline=OuterRef("pk"), state=State.DISPATCHED))
    return (
        Q(builds_tried_at=None)
        | Q(moving | sent, builds_error="", builds_tried_at__lt=now - FRESH_MOVING)
        | Q(builds_error="", builds_tried_at__lt=now - FRESH_QUIET)
        | Q(builds_tried_at__lt=now - FRESH_FAILED)
    )


def _stragglers(
    client: Provider, pipeline: Pipeline, listed: Sequence[str], now: datetime
) -> list[RemoteBuild]:
    """Builds that moved when last seen and are no longer among the newest."""
    rows = Build.objects.filter(pipeline=pipeline, state__in=MOVING_STATES).exclude(
        external_id__in=listed
    )
    found = []
    for build in rows.order_by("observed_at")[:STRAGGLERS]:
        try:
            found.append(client.get_build(pipeline.external_id, build.external_id))
        except NotFound:
            Build.objects.filter(pk=build.pk, observed_at__lte=now).update(
                state="unknown", raw_state="no longer on the server", observed_at=now
            )
    return found


def _record_all(pipeline: Pipeline, remotes: Sequence[RemoteBuild], now: datetime) -> None:
    """Records what changed; what did not costs one query for all."""
    ids = [remote.external_id for remote in remotes]
    known = {
        build.external_id: build
        for build in Build.objects.filter(pipeline=pipeline, external_id__in=ids)
    }
    unchanged = []
    # The oldest first, so that ties in the vendor's times still sort by our ids.
    for remote in reversed(remotes):
        build = known.get(remote.external_id)
        if build is not None and _same(build, remote):
            unchanged.append(build.pk)
        elif usable_id(remote.external_id, 200):
            record(pipeline, remote, now)
    Build.objects.filter(pk__in=unchanged, observed_at__lt=now).update(observed_at=now)


def _same(build: Build, remote: RemoteBuild) -> bool:
    linked = build.trigger_id is not None or not remote.request_id
    return linked and all(getattr(build, key) == value for key, value in _values(remote).items())


def _values(remote: RemoteBuild) -> dict[str, object]:
    """The columns that the vendor's word fills; the time in the queue only when it is told."""
    values: dict[str, object] = {
        "number": number(remote.number),
        "state": str(remote.state),
        "raw_state": text(remote.raw_state, 60),
        "message": text(remote.message, 500),
        "branch": text(remote.branch, 255),
        "commit": text(remote.commit, 64),
        "who": text(remote.who, 200),
        "who_id": text(remote.who_id, 200),
        "cause": str(remote.cause),
        "reason": text(remote.reason, 500),
        "web_url": web_url(remote.web_url),
        "started_at": remote.started_at,
        "finished_at": remote.finished_at,
    }
    if remote.queued_at:
        values["queued_at"] = remote.queued_at
    return values


def _trigger_of(pipeline: Pipeline, request_id: str) -> Trigger | None:
    """The trigger of this pipeline with that request id, if the build carries one of ours.

    One that was never sent can have no build: a build with its id was started by somebody else.
    """
    try:
        wanted = uuid.UUID(request_id)
    except ValueError:
        return None
    actions = (Trigger.Action.START, Trigger.Action.RETRY, Trigger.Action.PROMOTE)
    sent = Trigger.objects.filter(attempt__gt=0).exclude(state=State.DENIED)
    return sent.filter(request_id=wanted, pipeline=pipeline, action__in=actions).first()


def _release(pipeline_id: int, **values: object) -> None:
    Pipeline.objects.filter(pk=pipeline_id).update(refresh_claimed_until=None, **values)
