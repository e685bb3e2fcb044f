"""How often a pipeline is read: what moves often, what rests seldom, what sends webhooks hardly.

A reader works out once when its pipeline is worth reading again (`due_at`) and when it may be
(`not_before`); what is due is then a comparison of times.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from pipelines.models import Build, Pipeline, PipelineLink, Server, Trigger
from pipelines.outbox import State as TriggerState
from pipelines.providers.base import MOVING, HookScope, RemoteBuild, State
from pipelines.servers import pause_over

# While somebody looks: how old a reading may be, when a build moves and when none does. Both grow
# to a tenth of the time in which nothing happened.
FRESH_MOVING = timedelta(seconds=10)
FRESH_QUIET = timedelta(seconds=15)
FRESH_FAILED = timedelta(seconds=30)
LONGEST_MOVING = timedelta(minutes=1)
LONGEST_QUIET = timedelta(minutes=3)
# Somebody looks as long as a page asked within this time.
LOOKING = timedelta(seconds=20)
# The slow reading that stays the guarantee: of linked pipelines that nobody looks at, or whose
# webhooks are alive; of those with a build under way; and of those that a feed covers.
SLOW = timedelta(minutes=10)
SLOW_MOVING = timedelta(minutes=2)
SLOW_FED = timedelta(hours=6)
FED = timedelta(minutes=6)
# Webhooks count as alive for so long after a delivery that was believed.
HOOKS_ALIVE = timedelta(hours=1)
# Upstream requests a minute for one pipeline, however many look at it.
PER_MINUTE = 6
MINUTE = 60.0
STEP = 4.0

# A reading that is offered twice is done once.
JUST_NOW = timedelta(seconds=1.5)

# A delivery said that something changed, after the newest reading began.
HINTED = Q(hook_seen_at__gt=F("builds_tried_at"))


def pause_for_budget(asked: Sequence[float], cost: int, now: float) -> float:
    """Seconds until a reading that costs as much as the last one fits into PER_MINUTE.

    `asked` are the times of earlier requests, the last reading's `cost` ones included. The second
    may follow at once, as after a hint; each makes the next wait longer, so that what moves for a
    minute is read all through it.
    """
    recent = sorted(time for time in asked if time > now - MINUTE)
    over = len(recent) + min(cost, PER_MINUTE) - PER_MINUTE
    steps = min(STEP * cost * max(0, len(recent) - 1), MINUTE)
    return steps if over <= 0 else max(steps, recent[min(over, len(recent)) - 1] + MINUTE - now)


def pause_for_news(states: Collection[str], unchanged: timedelta, hooks_alive: bool) -> timedelta:
    """How long a viewer does without another reading, by the states of the newest builds and by
    how long nothing has happened."""
    if State.WAITING in states:
        # Vendors send nothing when a person lets a build go on, or does not.
        return _grown(FRESH_MOVING, LONGEST_MOVING, unchanged)
    moving = any(state in MOVING for state in states)
    if hooks_alive:
        return SLOW_MOVING if moving else SLOW
    if moving:
        return _grown(FRESH_MOVING, LONGEST_MOVING, unchanged)
    return _grown(FRESH_QUIET, LONGEST_QUIET, unchanged)


def unchanged_for(builds: Sequence[RemoteBuild], now: datetime) -> timedelta:
    """Since the newest time that the vendor tells; its clock may be ahead of ours."""
    times = [
        time
        for build in builds
        for time in (build.queued_at, build.started_at, build.finished_at)
        if time is not None
    ]
    return max(now - max(times), timedelta(0)) if times else LONGEST_QUIET


def hooks_alive(pipeline: Pipeline, scope: HookScope, news: bool, now: datetime) -> bool:
    """Whether deliveries can be relied on in place of polling.

    A reading that found news which no delivery had announced says that they can't.
    """
    if scope is HookScope.NONE:
        return False
    seen = pipeline.hook_seen_at
    if news and pipeline.builds_read_at and (seen is None or seen < pipeline.builds_read_at):
        return False
    if scope is HookScope.SERVER:
        seen = pipeline.server.hook_seen_at
    return seen is not None and seen > now - HOOKS_ALIVE


def readable(now: datetime) -> QuerySet[Pipeline]:
    """Pipelines that may be read: by their server, by their budget, and by no other worker.

    The claim's condition stands on the row itself, not in a subquery: PostgreSQL looks at the row
    again after waiting for a concurrent claim, but not at a subquery's rows.
    """
    servers = Server.objects.filter(pause_over(now), enabled=True)
    unclaimed = Q(refresh_claimed_until=None) | Q(refresh_claimed_until__lt=now)
    return Pipeline.objects.filter(unclaimed, pause_over(now), server__in=servers)


def stale(now: datetime) -> Q:
    """Pipelines whose reading is too old for somebody who looks."""
    sent = Exists(Trigger.objects.filter(pipeline=OuterRef("pk"), state=TriggerState.DISPATCHED))
    return Q(builds_tried_at=None) | Q(due_at=None) | Q(due_at__lte=now) | HINTED | Q(sent)


def stale_at_first_look(now: datetime) -> Q:
    """Whoever comes anew brings a reading forward that is planned for soon."""
    unseen = Q(refresh_wanted_at=None) | Q(refresh_wanted_at__lt=now - LOOKING)
    old = Q(builds_tried_at__lte=now - FRESH_QUIET, due_at__lte=now + LONGEST_QUIET)
    return unseen & old & Q(builds_error="")


def linked() -> Exists:
    """What no entity links to is not read."""
    return Exists(PipelineLink.objects.filter(pipeline=OuterRef("pk")))


def overdue(server: Server, now: datetime) -> Q:
    """Pipelines of a server to read though nobody looks."""
    fed = server.feed_read_at is not None and server.feed_read_at > now - FED
    slow = SLOW_FED if fed else SLOW
    under_way = Build.objects.filter(
        pipeline=OuterRef("pk"),
        state__in=[State.QUEUED, State.RUNNING],
        observed_at__lt=now - SLOW_MOVING,
    )
    moving = Q(Exists(under_way), builds_tried_at__lt=now - SLOW_MOVING)
    return Q(builds_tried_at=None) | Q(builds_tried_at__lt=now - slow) | moving


def _grown(first: timedelta, longest: timedelta, unchanged: timedelta) -> timedelta:
    return min(max(first, unchanged / 10), longest)
