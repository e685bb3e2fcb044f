"""Builds as last seen: one vendor call serves all viewers, and what is known outlives a failure.

`want()` is what pages say, `refresh()` is what a worker does, `due()` is what the tick offers.
Builds are kept for good: triggers and audit point at them, and vendors forget their own.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice, zip_longest
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from pipelines import budget, polling
from pipelines.bounds import number, text, usable_id, web_url
from pipelines.budget import Purpose
from pipelines.details import read_details
from pipelines.incidents import compare
from pipelines.models import MOVING_STATES, Build, Pipeline, Server, Trigger
from pipelines.outbox import State, move
from pipelines.polling import HINTED, JUST_NOW, LOOKING, linked, readable
from pipelines.providers.base import RemoteBuild
from pipelines.providers.errors import BudgetSpent, NotFound, ProviderError
from pipelines.providers.provider import Provider
from pipelines.servers import adapter_of, client_for, may_ask, note_answer, note_success

# Pages mark a pipeline at most this often, however many of them there are.
MARK_EVERY = timedelta(seconds=3)
# A worker that reads a pipeline for longer than this counts as dead.
LEASE = timedelta(minutes=3)
# So many pipelines of one server are read at once, that a slow one leaves workers to the others;
# readers that began longer ago may be dead.
AT_ONCE = 3
AT_WORK = timedelta(minutes=1)
READ_LIMIT = 20
# Moving builds that fell out of the newest READ_LIMIT are asked for one by one, a few at a time.
STRAGGLERS = 2
MAX_WANTED = 100
# A viewer's reading that the vendor's limit leaves no room for is tried again within this time.
SHORT = 60.0


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
        compare(build)
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
    compare(build)
    unsettled = [state for state in State.values if state != State.LINKED]
    move(trigger.pk, unsettled, State.LINKED, message="")
    return True


def refresh(pipeline_id: int) -> bool:
    """Reads the newest builds once, whoever asks; False when another worker does or just did, and
    when the server or a budget does not allow it.

    A failure keeps what is known and notes the error with its time. No transaction is open while
    the vendor is asked.
    """
    now = timezone.now()
    # Read before the claim, so that a reading that never went out can be undone.
    pipeline = Pipeline.objects.select_related("server").filter(pk=pipeline_id).first()
    again = Q(builds_tried_at=None) | Q(builds_tried_at__lte=now - JUST_NOW) | HINTED
    claimed = readable(now).filter(again, pk=pipeline_id)
    if pipeline is None or not claimed.update(
        refresh_claimed_until=now + LEASE, builds_tried_at=now
    ):
        return False
    sent: list[datetime] = []
    try:
        free = not _is_busy(pipeline, now) and may_ask(pipeline.server, now)
        builds = _read(pipeline, now, sent) if free else None
    except BudgetSpent as error:
        _put_back(pipeline, error)
        return False
    except ProviderError as error:
        _release(pipeline, sent, polling.FRESH_FAILED, builds_error=str(error))
        note_answer(pipeline.server, error)
        return True
    except Exception:
        error_text = "Stagedoor failed to read the answer; see its log."
        _release(pipeline, sent, polling.FRESH_FAILED, builds_error=error_text)
        raise
    if builds is None:
        _put_back(pipeline)
        return False
    news = bool(keep([(pipeline, build) for build in builds], now))
    pause = _pause(pipeline, builds, news, now)
    _release(pipeline, sent, pause, builds_error="", builds_read_at=now)
    note_success(pipeline.server)
    return True


def _is_busy(pipeline: Pipeline, now: datetime) -> bool:
    """Whether enough workers read from this server."""
    others = Pipeline.objects.filter(server=pipeline.server_id).exclude(pk=pipeline.pk)
    reading = others.filter(refresh_claimed_until__gt=now + LEASE - AT_WORK)
    return reading.count() >= AT_ONCE


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
    too_old = polling.stale(now) | polling.stale_at_first_look(now)
    stale = list(readable(now).filter(too_old, pk__in=marked).values_list("pk", flat=True))
    Pipeline.objects.filter(pk__in=marked).update(refresh_wanted_at=now)
    return sorted(stale)


def hint(pipelines: Iterable[int], now: datetime) -> list[int]:
    """A delivery says that builds of these changed; returns the ids of those to read now.

    They are due even if they were just read, as soon as their budget allows. A hint that comes
    while a worker reads leaves its pipeline due, so that one more reading follows.
    """
    ids = list(pipelines)
    Pipeline.objects.filter(pk__in=ids).update(hook_seen_at=now)
    hinted = readable(now).filter(HINTED | Q(builds_tried_at=None), pk__in=ids)
    return list(hinted.filter(linked()).order_by("pk").values_list("pk", flat=True))


def due(now: datetime, limit: int) -> list[int]:
    """Ids of pipelines to read: hinted and looked at, then linked ones by age, as many of these
    as the budget of each server gives to what nobody looks at."""
    looked_at = Q(refresh_wanted_at__gte=now - LOOKING) & polling.stale(now)
    oldest = F("builds_tried_at").asc(nulls_first=True)
    urgent = readable(now).filter(looked_at | (HINTED & Q(linked()))).order_by(oldest, "pk")
    ids = list(urgent.values_list("pk", flat=True)[:limit])
    # Some room always, for pages ask for what is looked at by themselves as well.
    rest = max(limit - len(ids), limit // 4)
    by_server = [_overdue(server, ids, rest, now) for server in Server.objects.filter(enabled=True)]
    # One of each in turn, so that a server with thousands leaves room for the others.
    turns = chain.from_iterable(zip_longest(*by_server))
    return ids + list(islice((pk for pk in turns if pk is not None), rest))


def _overdue(server: Server, taken: Sequence[int], limit: int, now: datetime) -> list[int]:
    """Pipelines of one server that are due by age, as many as its budget allows."""
    adapter = adapter_of(server)
    if adapter is None:
        return []
    old = readable(now).filter(polling.overdue(server, now), linked(), server=server, gone_at=None)
    oldest = F("builds_tried_at").asc(nulls_first=True)
    slow = old.exclude(pk__in=taken).order_by(oldest, "pk").values_list("pk", flat=True)
    found = list(slow[:limit])
    return found[: budget.sweep_pace(server, adapter.limits, now)] if found else []


def known_of(found: Sequence[tuple[Pipeline, RemoteBuild]]) -> dict[tuple[int, str], Build]:
    """Our rows of these builds, by pipeline and the vendor's id; one query."""
    rows = Build.objects.filter(
        pipeline__in={pipeline.pk for pipeline, _ in found},
        external_id__in={remote.external_id for _, remote in found},
    )
    return {(build.pipeline_id, build.external_id): build for build in rows}


def keep(found: Sequence[tuple[Pipeline, RemoteBuild]], now: datetime) -> set[int]:
    """Records what changed, and gives the ids of its pipelines; what did not change costs one
    query for all."""
    known = known_of(found)
    unchanged, news = [], set()
    # The oldest first, so that ties in the vendor's times still sort by our ids.
    for pipeline, remote in reversed(found):
        build = known.get((pipeline.pk, remote.external_id))
        if build is not None and _same(build, remote):
            unchanged.append(build.pk)
        elif usable_id(remote.external_id, 200):
            record(pipeline, remote, now)
            news.add(pipeline.pk)
    Build.objects.filter(pk__in=unchanged, observed_at__lt=now).update(observed_at=now)
    return news


def _read(pipeline: Pipeline, now: datetime, sent: list[datetime]) -> list[RemoteBuild]:
    """The newest builds, and what else this reading has room for."""
    purpose = _purpose(pipeline, now)
    client = client_for(pipeline.server, purpose, sent)
    builds = list(client.list_builds(pipeline.external_id, limit=READ_LIMIT))
    try:
        builds += _stragglers(client, pipeline, [build.external_id for build in builds], now)
        if purpose is Purpose.WATCH:
            read_details(client, pipeline, now)
    except BudgetSpent:
        pass  # the builds are there, and the rest comes another time
    return builds


def _purpose(pipeline: Pipeline, now: datetime) -> Purpose:
    wanted, hinted, tried = (
        pipeline.refresh_wanted_at,
        pipeline.hook_seen_at,
        pipeline.builds_tried_at,
    )
    if wanted is not None and wanted >= now - LOOKING:
        return Purpose.WATCH
    news = hinted is not None and (tried is None or hinted > tried)
    return Purpose.HINT if news else Purpose.SWEEP


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


def _pause(
    pipeline: Pipeline, builds: Sequence[RemoteBuild], news: bool, now: datetime
) -> timedelta:
    adapter = adapter_of(pipeline.server)
    alive = adapter is not None and polling.hooks_alive(pipeline, adapter.hook_scope, news, now)
    states = {build.state for build in builds}
    return polling.pause_for_news(states, polling.unchanged_for(builds, now), alive)


def _release(
    pipeline: Pipeline, sent: Sequence[datetime], pause: timedelta, **values: object
) -> None:
    """Gives the claim back, and says when the next reading is due and when it may be."""
    now = timezone.now()
    recent = [time for time in pipeline.asked_at if time > now.timestamp() - polling.MINUTE]
    asked = recent + [time.timestamp() for time in sent]
    wait = polling.pause_for_budget(asked, len(sent), now.timestamp())
    Pipeline.objects.filter(pk=pipeline.pk).update(
        refresh_claimed_until=None,
        due_at=now + pause,
        not_before=now + timedelta(seconds=wait),
        asked_at=asked,
        **values,
    )


def _put_back(pipeline: Pipeline, error: BudgetSpent | None = None) -> None:
    """Nothing went out, so it is as due as before; later where the limit asks for that."""
    values: dict[str, Any] = {}
    if error is not None and _purpose(pipeline, timezone.now()) is not Purpose.SWEEP:
        wait = timedelta(seconds=min(error.retry_after or SHORT, SHORT))
        values["not_before"] = timezone.now() + wait
    Pipeline.objects.filter(pk=pipeline.pk).update(
        refresh_claimed_until=None, builds_tried_at=pipeline.builds_tried_at, **values
    )


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
