"""Starts that are asked for again and again in a named person's name, for as long as they may.

Each firing is a request like any other: decided anew with what its owner may do now, approved by
others where the environment asks for it. When the owner's right is gone, the standing trigger ends
with it; a freeze or a condition only keeps this one firing from happening.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from celery.schedules import ParseException, crontab
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from pipelines import triggers
from pipelines.dispatch import GIVE_UP_AFTER
from pipelines.effects import effect_of, is_on_branch, origin_of
from pipelines.facts import facts_of
from pipelines.inputs import takes
from pipelines.models import (
    Build,
    Environment,
    Pipeline,
    PipelineLink,
    StandingTrigger,
    Trigger,
)
from pipelines.providers.base import Capability, State
from pipelines.repository_places import place_of
from pipelines.targets import decide_about, decide_effect
from portal import audit
from portal.access import actor_for
from portal.policy import Decision

When = StandingTrigger.When
audit.register("standing.create", "set up a standing trigger")
audit.register("standing.end", "ended a standing trigger")
audit.register("standing.missed", "gave up a run of a standing trigger")

MAX_LIVE = 50  # of one person
SHORTEST = timedelta(minutes=5)
LOOKED_AT_EVERY = timedelta(seconds=30)  # where it waits for a build to pass
# A build that passed longer ago than this starts nothing any more.
OLDEST = timedelta(hours=6)
# What could not be asked for is tried again after 30 seconds, one minute, two and so on: an hour.
FIRST_PAUSE = timedelta(seconds=30)
MAX_TRIES = 8
MAX_LOOKED_AT = 20  # of the newest that passed
# Rules of a denial that does not pass by itself: the person's right is gone.
LASTING = frozenset({"signed-out", "no-role", "permission", "scope", "environment"})
_NAMESPACE = uuid.UUID("6e0d2f0c-5f7a-4d0b-9a4e-0f6d3f1f2a77")


@dataclass(frozen=True)
class Wish:
    """What a person wants to happen by itself. `cron` or `after`, as `when` says."""

    branch: str
    parameters: Mapping[str, str]
    when: str
    cron: str = ""
    after: Environment | None = None
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """The standing trigger, or why not: a decision that denies, or errors by field."""

    standing: StandingTrigger | None
    decision: Decision
    errors: dict[str, str] = field(default_factory=dict)


@transaction.atomic
def create(user: User, link: PipelineLink, wish: Wish, request: HttpRequest) -> Outcome:
    """Decided like the start that it will ask for."""
    # One at a time for a person, so that the limit holds.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    entity, pipeline, now = link.entity, link.pipeline, timezone.now()
    facts = facts_of(entity, [pipeline])
    effect = effect_of("start", pipeline, wish.branch, wish.parameters, rules=facts.rules)
    decision = decide_effect(actor_for(user), "start", pipeline, effect, facts)
    errors = dict(effect.errors)
    if wish.when == When.SCHEDULE and (problem := cron_problem(wish.cron, now)):
        errors["cron"] = problem
    if wish.when == When.AFTER and wish.after is None:
        errors["after"] = "Say after which environment."
    elif wish.when == When.AFTER and wish.after == effect.environment:
        errors["after"] = f"It takes effect in {wish.after} itself. Choose another environment."
    if StandingTrigger.objects.filter(owner=user, ended_at=None).count() >= MAX_LIVE:
        errors[""] = f"You have {MAX_LIVE} standing triggers. End one first."
    if not decision.askable or errors:
        return Outcome(None, decision, errors)
    scheduled = wish.when == When.SCHEDULE
    standing = StandingTrigger.objects.create(
        owner=user,
        entity=entity,
        pipeline=pipeline,
        branch=effect.branch,
        parameters=effect.parameters,
        when=wish.when,
        cron=wish.cron.strip() if scheduled else "",
        after=None if scheduled else wish.after,
        note=wish.note[:200],
        next_at=next_run(wish.cron, now) if scheduled else now,
    )
    _audit("standing.create", standing, user, request)
    return Outcome(standing, decision)


def end(
    standing: StandingTrigger, why: str, by: User | None = None, request: HttpRequest | None = None
) -> bool:
    """Ends it for good; False where it had ended."""
    rows = StandingTrigger.objects.filter(pk=standing.pk, ended_at=None)
    with transaction.atomic():
        ended = bool(rows.update(ended_at=timezone.now(), ended_reason=why[:300], next_at=None))
        if ended:
            _audit("standing.end", standing, by, request, why)
    return ended


def may_end(user: User, standing: StandingTrigger) -> bool:
    """Its owner, and whoever settles requests of the service."""
    if standing.owner_id == user.pk:
        return True
    facts = facts_of(standing.entity, [standing.pipeline])
    return decide_about(facts, actor_for(user), "trigger.settle").allowed


def due(now: datetime, limit: int) -> list[int]:
    """Ids of those whose time has come, the longest waiting first."""
    rows = StandingTrigger.objects.filter(ended_at=None, next_at__lte=now).order_by("next_at", "pk")
    return list(rows.values_list("pk", flat=True)[:limit])


def fire(standing_id: int, now: datetime) -> Trigger | None:
    """Asks for the start that is due; the trigger that came of it, if any.

    The request id follows from what fires it, so that two workers, or one that died after asking,
    have asked once. Only then the next time is set, so that none is lost. What could not be asked
    for is tried again, later and later, until its next time or for an hour; what is overdue for
    longer (OLDEST, after a build passed) is left out: a deployment of last night must not begin
    when a worker is started again.
    """
    related = ("owner", "entity", "pipeline__server", "after")
    standing = StandingTrigger.objects.select_related(*related).get(pk=standing_id)
    at = standing.next_at
    if standing.ended_at or at is None or at > now:
        return None
    firing = _firing(standing, at, now)
    if firing is None:
        _set(standing, at, next_at=now + LOOKED_AT_EVERY)
        return None
    fired = _Fired(problem="Stagedoor failed to ask for it; see its log.", again=True)
    try:
        # Of builds OLDEST says which are too old: this only tells when it looked for one last.
        late = standing.when == When.SCHEDULE and now - at > GIVE_UP_AFTER
        fired = _LATE if late else _ask(standing, firing)
        return fired.trigger
    finally:
        _note(standing, at, firing, fired, now)


@dataclass(frozen=True)
class _Firing:
    """One time that it asks: for what (which its request id is made of), and with which commit."""

    cause: str
    build: Build | None = None
    commit: str = ""


@dataclass(frozen=True)
class _Fired:
    """What came of it: a new trigger, or why there is none and whether that may pass soon."""

    trigger: Trigger | None = None
    problem: str = ""
    again: bool = False


_LATE = _Fired(problem="No worker was there within an hour of its time.")


def _firing(standing: StandingTrigger, at: datetime, now: datetime) -> _Firing | None:
    if standing.when != When.AFTER:
        return _Firing(standing.firing or at.isoformat())
    build = _passed(standing, now)
    if build is None:
        return None
    takes_it = takes(standing.pipeline, Capability.COMMIT)
    return _Firing(f"build {build.pk}", build, build.commit if takes_it else "")


def _note(
    standing: StandingTrigger, at: datetime, firing: _Firing, fired: _Fired, now: datetime
) -> None:
    """Sets the next time: of the same firing where it is tried again, else of the next one."""
    scheduled = standing.when != When.AFTER
    following = next_run(standing.cron, now) if scheduled else now + LOOKED_AT_EVERY
    tries = (standing.tries if standing.firing == firing.cause else 0) + 1
    again = now + FIRST_PAUSE * 2 ** (tries - 1)
    if fired.again and tries < MAX_TRIES and not (scheduled and again >= following):
        tried: dict[str, Any] = {"firing": firing.cause, "tries": tries, "problem": fired.problem}
        _set(standing, at, next_at=again, **tried)
        return
    missed = fired.again or fired is _LATE
    problem = f"Given up for {now:%-d %B, %H:%M} UTC. {fired.problem}" if missed else fired.problem
    done: dict[str, Any] = {"firing": "", "tries": 0, "problem": problem[:500]}
    if firing.build is not None:
        done["answered"] = firing.build
    with transaction.atomic():
        if _set(standing, at, next_at=following, **done) and missed:
            _audit("standing.missed", standing, None, None, problem, outcome="failed")


def _set(standing: StandingTrigger, at: datetime, **values: object) -> bool:
    """Unless another worker has, or it has ended."""
    rows = StandingTrigger.objects.filter(pk=standing.pk, ended_at=None, next_at=at)
    return bool(rows.update(**values))


def _passed(standing: StandingTrigger, now: datetime) -> Build | None:
    """The newest build of its branch that passed in the environment since this stands, not answered
    so far.

    Only builds that a person started from here count: of others nobody knows where they took
    effect, and two standing triggers must not start each other for ever.
    """
    since = max(standing.created_at, now - OLDEST)
    rows = Build.objects.filter(
        pipeline__in=_same_code(standing),
        state=State.PASSED,
        branch=standing.branch,
        trigger__entity=standing.entity,
        trigger__environment=standing.after,
        trigger__standing=None,
        finished_at__gte=since,
    ).select_related("pipeline__server", "trigger__build__trigger")
    newest = rows.order_by("-finished_at", "-pk")[:MAX_LOOKED_AT]
    build = next((row for row in newest if _is_of_its_branch(row)), None)
    return None if build is None or build.pk == standing.answered_id else build


def _same_code(standing: StandingTrigger) -> list[int]:
    """Ids of the service's pipelines of that repository: a branch of another one has other commits
    under the same name."""
    own = standing.pipeline
    place = place_of(own.repository)
    of_service = Pipeline.objects.filter(links__entity=standing.entity).exclude(repository="")
    same = [one.pk for one in of_service if own.repository and place_of(one.repository) == place]
    return [own.pk, *same]


def _is_of_its_branch(build: Build) -> bool:
    """Whether it is a start of ours with a commit of the branch that it is called by."""
    return origin_of(build) is not None and is_on_branch(build, build.pipeline)


def _ask(standing: StandingTrigger, firing: _Firing) -> _Fired:
    request_id = _id(standing, firing.cause)
    if standing.entity is None:
        end(standing, "The service that it belongs to is no longer in the catalog.")
        return _Fired()
    if Trigger.objects.filter(request_id=request_id).exists():
        return _Fired()  # asked for before, whatever the answer was
    outcome = triggers.request(
        standing.owner,
        "start",
        entity=standing.entity,
        pipeline=standing.pipeline,
        branch=standing.branch,
        commit=firing.commit,
        parameters=standing.parameters,
        request_id=request_id,
        standing=standing,
    )
    if outcome.trigger is not None:
        return _Fired(outcome.trigger if outcome.created else None)
    if not outcome.decision.askable:
        return _denied(standing, outcome.decision)
    return _refused(standing, outcome.errors)


def _denied(standing: StandingTrigger, decision: Decision) -> _Fired:
    if decision.rule in LASTING:
        end(standing, f"{standing.owner} may no longer do this. {decision.reason}")
    return _Fired(problem=decision.reason)


def _refused(standing: StandingTrigger, errors: Mapping[str, str]) -> _Fired:
    """Its own values stay wrong; whatever else it was may be over in a moment, for instance when
    the repository's host tells the newest commit again."""
    why = " ".join(errors.values())
    if any(key == "branch" or key.startswith("parameter:") for key in errors):
        end(standing, why)
    return _Fired(problem=why, again=True)


def _id(standing: StandingTrigger, cause: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, f"{standing.pk} {cause}")


def cron_problem(text: str, now: datetime) -> str:
    """What is wrong with a schedule, as a sentence; "" where nothing is."""
    try:
        next_run(text, now)
        closest = _closest(crontab.from_string(text.strip()))
    except (ParseException, ValueError, TypeError, IndexError, KeyError, RecursionError):
        return 'Write five fields, for example "30 6 * * mon-fri" for 06:30 UTC on working days.'
    return "At most every five minutes." if closest < SHORTEST else ""


def _closest(schedule: crontab) -> timedelta:
    """Between two runs of a day, or its last and the first of the next day: of any two days."""
    runs = sorted(hour * 60 + minute for hour in schedule.hour for minute in schedule.minute)
    gaps = (later - earlier for earlier, later in pairwise([*runs, runs[0] + 24 * 60]))
    return timedelta(minutes=min(gaps))


def next_run(cron: str, after: datetime) -> datetime:
    """The next time of a cron line (UTC) after that moment. Raises what crontab raises."""
    schedule = crontab.from_string(cron.strip())
    schedule.nowfun = lambda: after
    return after + schedule.remaining_estimate(after)


def _audit(
    action: str,
    standing: StandingTrigger,
    by: User | None,
    request: HttpRequest | None,
    why: str = "",
    *,
    outcome: str = "ok",
) -> None:
    audit.record(
        action,
        user=by,
        outcome=outcome,
        on_behalf_of="" if by == standing.owner else str(standing.owner),
        target=f"{standing.pipeline.server.slug}:{standing.pipeline.external_id}",
        request=request,
        reason=why,
        data={
            "standing": standing.pk,
            "entity": standing.entity.ref if standing.entity else "",
            "when": standing.cron or f"after {standing.after}",
            "branch": standing.branch,
            "parameters": standing.parameters,
        },
    )
