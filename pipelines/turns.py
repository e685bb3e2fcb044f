"""Whose turn it is in an environment that takes only so many runs of one service at once.

First come, first served: a request waits for the runs that are under way and for those that were
asked for before it. Counted is what Stagedoor sent; a build that began elsewhere may take effect
anywhere. What nobody knows the outcome of may be running, and counts until somebody has said so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from catalog.models import Entity
from pipelines.effects import effect_again
from pipelines.environments import read_rules
from pipelines.models import MOVING_STATES, Build, Environment, Pipeline, Trigger

Action, State = Trigger.Action, Trigger.State
# What makes something run. A cancel ends a run, and switching a pipeline on runs nothing yet.
RUNS = (Action.START, Action.RETRY, Action.PROMOTE, Action.UNBLOCK)
# These go on with a build that is there, where the vendor does.
ON_BUILD = (Action.RETRY, Action.UNBLOCK)
SENT = (State.DISPATCHING, State.DISPATCHED, State.UNCERTAIN)
# Until a request that waits asks again; so late at most it learns that a run has ended.
PAUSE = timedelta(seconds=3)


@dataclass(frozen=True)
class Run:
    """One run that is under way, or that comes first."""

    key: tuple[str, int]  # of a build where there is one: an unblock and its build are one run
    pipeline_id: int
    what: str  # "payments-api #12 of Ana Duarte"


def hold(trigger_id: int, now: datetime) -> str:
    """For which run a request has to wait, as a sentence; "" when it may be sent.

    One that may take effect in several environments waits for its turn in each; it counts in the
    strictest. Holds their rows until the caller's transaction ends, so that two workers count one
    after the other. Asks for the runs that it waits for to be read again.
    """
    limited = Environment.objects.filter(concurrency__isnull=False)
    if not limited.exists():
        return ""
    waiting = Trigger.objects.filter(pk=trigger_id, action__in=RUNS, state=State.QUEUED)
    related = ("entity", "environment", "pipeline__server", "build__trigger")
    trigger = waiting.filter(entity__isnull=False).select_related(*related).first()
    if trigger is None or trigger.entity is None:
        return ""
    # dispatch.py moves it on to the strictest, where that is another one by now.
    places = {trigger.environment, *effect_again(trigger, read_rules()).others}
    held = limited.select_for_update(no_key=True).filter(pk__in=[one.pk for one in places if one])
    waits = (_wait_in(one, trigger, trigger.entity, now) for one in held.order_by("pk"))
    return next(filter(None, waits), "")


def _wait_in(environment: Environment, trigger: Trigger, entity: Entity, now: datetime) -> str:
    own = _key(trigger)
    ahead = [*under_way(entity, environment), *_before(trigger, environment)]
    return _wait(entity, environment, [run for run in ahead if run.key != own], now)


def _wait(entity: Entity, environment: Environment, ahead: list[Run], now: datetime) -> str:
    if environment.concurrency is None or len(ahead) < environment.concurrency:
        return ""
    read = Pipeline.objects.filter(pk__in={run.pipeline_id for run in ahead})
    read.update(refresh_wanted_at=now)
    return sentence(entity, environment, ahead)


def sentence(entity: Entity, environment: Environment, ahead: list[Run]) -> str:
    """Whom it waits for, and why."""
    number = environment.concurrency
    runs = "one run" if number == 1 else f"{number} runs"
    others = f" and {len(ahead) - 1} more" if len(ahead) > 1 else ""
    return f"Waits for {ahead[0].what}{others}: {environment} takes {runs} of {entity} at once."


def warning(entity: Entity, environment: Environment | None) -> str:
    """What a page says before one asks; "" when nothing is in the way now."""
    if environment is None or environment.concurrency is None:
        return ""
    queued = Trigger.objects.filter(_of(entity, environment), state=State.QUEUED)
    ahead = [*under_way(entity, environment), *map(_asked, _with_pipeline(queued))]
    if len(ahead) < environment.concurrency:
        return ""
    return sentence(entity, environment, ahead)


def under_way(entity: Entity, environment: Environment) -> list[Run]:
    """What was sent and has not ended, each run once."""
    found = {run.key: run for run in _sent(entity, environment)}
    return list({**found, **{run.key: run for run in _moving(entity, environment)}}.values())


def _sent(entity: Entity, environment: Environment) -> Iterator[Run]:
    rows = Trigger.objects.filter(_of(entity, environment), state__in=SENT)
    return map(_asked, _with_pipeline(rows))


def _moving(entity: Entity, environment: Environment) -> Iterator[Run]:
    sent = Trigger.objects.filter(_of(entity, environment), state=State.LINKED)
    theirs = Q(trigger__in=sent) | Q(writes__in=sent.filter(action__in=ON_BUILD))
    builds = Build.objects.filter(theirs, state__in=MOVING_STATES).distinct()
    for build in builds.select_related("pipeline", "trigger").order_by("pk"):
        by = f" of {build.trigger.asked_by}" if build.trigger else ""
        yield Run(("build", build.pk), build.pipeline_id, f"{build}{by}")


def _before(trigger: Trigger, environment: Environment) -> Iterator[Run]:
    """What was asked for there earlier and waits as well."""
    rows = Trigger.objects.filter(
        pk__lt=trigger.pk,
        entity=trigger.entity_id,
        environment=environment,
        action__in=RUNS,
        state=State.QUEUED,
    )
    return map(_asked, _with_pipeline(rows))


def _of(entity: Entity, environment: Environment) -> Q:
    return Q(entity=entity, environment=environment, action__in=RUNS)


def _with_pipeline(rows: QuerySet[Trigger]) -> QuerySet[Trigger]:
    return rows.select_related("pipeline").order_by("pk")


def _asked(trigger: Trigger) -> Run:
    what = f"“{trigger.get_action_display()} {trigger.pipeline.name}” of {trigger.asked_by}"
    return Run(_key(trigger), trigger.pipeline_id, what)


def _key(trigger: Trigger) -> tuple[str, int]:
    if trigger.action == Action.UNBLOCK and trigger.build_id:
        return "build", trigger.build_id
    return "trigger", trigger.pk
