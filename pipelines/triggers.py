"""Takes requests for writes at a vendor. No network: dispatch.py sends them.

One transaction writes the trigger and its audit event. The request id is made by the server for
the form, so that a double click or a reload finds the trigger that is there already.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from catalog.models import Entity
from pipelines.bounds import text, usable_id
from pipelines.effects import Effect, effect_of
from pipelines.facts import Facts, facts_of
from pipelines.inputs import check_gate
from pipelines.models import Build, Pipeline, Trigger
from pipelines.providers.base import Gate
from pipelines.targets import decide_effect
from portal import audit
from portal.access import actor_for
from portal.policy import Actor, Decision
from portal.policy import Effect as Verdict

audit.register("build.start", "asked to start a build")
audit.register("build.retry", "asked to retry a build")
audit.register("build.cancel", "asked to cancel a build")
audit.register("build.unblock", "asked to let a waiting build go on")
audit.register("build.promote", "asked to promote a build")
audit.register("build.activate", "asked to switch a pipeline on")


@dataclass(frozen=True)
class Outcome:
    """What became of a request: a trigger, or a decision that denies, or errors to mend.

    `errors` has the keys "branch", "commit", "target", "parameter:NAME" and "" (the form as a
    whole). `created` is False when the request was known already.
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
    commit: str = "",
    parameters: Mapping[str, str] | None = None,
    target: str = "",
    gate: Gate | None = None,
    request_id: uuid.UUID | str,
    build: Build | None = None,
    request: HttpRequest | None = None,
) -> Outcome:
    """Asks for a write; the caller enqueues `tasks.dispatch` when a trigger was created.

    All but a start and an activation need `build` and take branch and commit from it. An unblock
    needs the `gate` as the server gave it for this build, a promotion its `target`. A denial is
    audited and leaves no trigger. Raises ValueError for an action, gate or request id that no
    form of ours sends.
    """
    if action not in Trigger.Action.values:
        raise ValueError(f"unknown action {action!r}")
    subject = _Subject.of(action, target.strip(), gate)
    given, errors = dict(parameters or {}), {}
    if gate is not None:
        given, errors = check_gate(gate, given)
    key = uuid.UUID(str(request_id))
    with transaction.atomic():
        facts = facts_of(entity, [pipeline])
        effect = effect_of(
            action,
            pipeline,
            branch,
            given,
            commit=commit,
            subject=subject.id,
            subject_name=subject.name,
            build=build,
            rules=facts.rules,
        )
        effect = replace(effect, errors={**effect.errors, **errors})
        actor = actor_for(user)
        return _take(_Ask(key, action, actor, pipeline, effect, facts, build, subject), request)


@dataclass(frozen=True)
class _Subject:
    """What besides a build is meant: a gate of it, or the target that it is promoted to."""

    id: str = ""
    name: str = ""

    @classmethod
    def of(cls, action: str, target: str, gate: Gate | None) -> "_Subject":
        if (action == Trigger.Action.UNBLOCK) != (gate is not None):
            raise ValueError("a gate belongs to an unblock, and to nothing else")
        if gate is None:
            return cls(target[:255] if action == Trigger.Action.PROMOTE else "")
        if not usable_id(gate.id, 255):
            raise ValueError("a gate's id is empty or too long")
        return cls(gate.id, text(gate.name, 200))


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
    subject: _Subject

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
            "commit": self.effect.commit,
            "parameters": self.effect.parameters,
            "subject": self.subject.id,
            "subject_name": self.subject.name,
            "build": self.build,
        }

    def same_as(self, trigger: Trigger) -> bool:
        """Whether that trigger asks for the same, wherever it would take effect by now.

        What comes from a build may have been read anew in between.
        """
        same_place = (
            trigger.action == self.action
            and trigger.pipeline_id == self.pipeline.pk
            and trigger.entity_id == self.entity.pk
            and trigger.build_id == (self.build.pk if self.build else None)
            and trigger.subject == self.subject.id
        )
        if self.action in {Trigger.Action.CANCEL, Trigger.Action.RETRY}:
            return same_place
        same_values = trigger.parameters == self.effect.parameters
        if self.action == Trigger.Action.START:
            same_values &= (trigger.branch, trigger.commit) == (
                self.effect.branch,
                self.effect.commit,
            )
        return same_place and same_values


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
            "team": ask.facts.owner,
            "environment": environment.slug if environment else "",
            "branch": ask.effect.branch,
            "commit": ask.effect.commit,
            "subject": ask.subject.id,
            "subject_name": ask.subject.name,
            "parameters": ask.effect.parameters,
            "build": ask.build.external_id if ask.build else "",
            "mapping": decision.grant.mapping_id if decision.grant else None,
        },
    )
