"""Takes requests to start, retry or cancel a build. No network: dispatch.py sends them.

One transaction writes the trigger and its audit event. The request id is made by the server for
the form, so that a double click or a reload finds the trigger that is there already.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from catalog.models import Entity
from pipelines.facts import Facts, facts_of
from pipelines.models import Build, Pipeline, Trigger
from pipelines.targets import Effect, decide_effect, effect_of
from portal import audit
from portal.access import actor_for
from portal.policy import Actor, Decision
from portal.policy import Effect as Verdict

audit.register("build.start", "asked to start a build")
audit.register("build.retry", "asked to retry a build")
audit.register("build.cancel", "asked to cancel a build")


@dataclass(frozen=True)
class Outcome:
    """What became of a request: a trigger, or a decision that denies, or errors to mend.

    `errors` has the keys "branch", "parameter:NAME" and "" (the form as a whole). `created` is
    False when the request was known already.
    """

    trigger: Trigger | None
    decision: Decision
    errors: dict[str, str] = field(default_factory=dict)
    created: bool = False


def request(
    user: User,
    action: str,
    *,
    entity: Entity,
    pipeline: Pipeline,
    branch: str = "",
    parameters: Mapping[str, str] | None = None,
    request_id: uuid.UUID | str,
    build: Build | None = None,
    request: HttpRequest | None = None,
) -> Outcome:
    """Asks for a write; the caller enqueues `tasks.dispatch` when a trigger was created.

    `action` is start, retry or cancel; the latter two need `build` and take branch and parameters
    from it. A denial is audited and leaves no trigger. Raises ValueError for an action or a
    request id that no form of ours sends.
    """
    if action not in Trigger.Action.values:
        raise ValueError(f"unknown action {action!r}")
    given = parameters or {}
    with transaction.atomic():
        facts = facts_of(entity, [pipeline])
        effect = effect_of(action, pipeline, branch, given, build=build, rules=facts.rules)
        key = uuid.UUID(str(request_id))
        ask = _Ask(key, action, actor_for(user), pipeline, effect, facts, build)
        return _take(ask, request)


@dataclass(frozen=True)
class _Ask:
    """One request with all that was computed for it."""

    request_id: uuid.UUID
    action: str
    actor: Actor
    pipeline: Pipeline
    effect: Effect
    facts: Facts
    build: Build | None

    @property
    def entity(self) -> Entity:
        assert self.facts.entity is not None  # noqa: S101  request() takes no other
        return self.facts.entity

    def decide(self) -> Decision:
        return decide_effect(
            self.actor, self.action, self.pipeline, self.effect, self.facts, build=self.build
        )

    def values(self) -> dict[str, object]:
        """What the trigger's row holds, besides its request id."""
        return {
            "action": self.action,
            "pipeline": self.pipeline,
            "entity": self.entity,
            "environment": self.effect.environment,
            "actor_id": self.actor.user_id,
            "actor_name": self.actor.name[:200],
            "team": self.facts.owner[:255],
            "branch": self.effect.branch,
            "parameters": self.effect.parameters,
            "build": self.build,
        }

    def same_as(self, trigger: Trigger) -> bool:
        """Whether that trigger asks for the same, wherever it would take effect by now."""
        return (
            trigger.action == self.action
            and trigger.pipeline_id == self.pipeline.pk
            and trigger.entity_id == self.entity.pk
            and trigger.build_id == (self.build.pk if self.build else None)
            and trigger.branch == self.effect.branch
            and trigger.parameters == self.effect.parameters
        )


def _take(ask: _Ask, request: HttpRequest | None) -> Outcome:
    """Writes the trigger where policy allows it and nothing is to be mended."""
    known = Trigger.objects.filter(request_id=ask.request_id).first()
    if known is not None:
        return _known(known, ask, request)
    decision = ask.decide()
    if not decision.allowed:
        _audit(ask, decision, request)
        return Outcome(None, decision)
    if ask.effect.errors:
        return Outcome(None, decision, dict(ask.effect.errors))
    trigger, created = Trigger.objects.get_or_create(
        request_id=ask.request_id, defaults=ask.values()
    )
    if not created:
        return _known(trigger, ask, request)
    _audit(ask, decision, request)
    return Outcome(trigger, decision, created=True)


def _known(trigger: Trigger, ask: _Ask, request: HttpRequest | None) -> Outcome:
    """A request id that was used before: the same trigger again, for the same person only."""
    if trigger.actor_id != ask.actor.user_id:
        decision = Decision(
            Verdict.DENY, "request-id", "This form belongs to somebody else. Open it anew."
        )
        _audit(ask, decision, request)
        return Outcome(None, decision)
    decision = Decision(Verdict.ALLOW, "known-request", "This was asked for already.")
    if not ask.same_as(trigger):
        sentence = "This form was sent already, with other values. Open it anew to ask again."
        return Outcome(None, decision, {"": sentence})
    return Outcome(trigger, decision)


def _audit(ask: _Ask, decision: Decision, request: HttpRequest | None) -> None:
    environment = ask.effect.environment
    audit.record(
        f"build.{ask.action}",
        actor=ask.actor,
        target=f"{ask.pipeline.server.slug}:{ask.pipeline.external_id}",
        outcome="ok" if decision.allowed else "denied",
        decision=decision,
        request=request,
        request_id=str(ask.request_id),
        data={
            "entity": ask.entity.ref,
            "environment": environment.slug if environment else "",
            "branch": ask.effect.branch,
            "parameters": ask.effect.parameters,
            "build": ask.build.external_id if ask.build else "",
            "mapping": decision.grant.mapping_id if decision.grant else None,
        },
    )
