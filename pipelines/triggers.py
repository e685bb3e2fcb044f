"""Takes requests for writes at a vendor; dispatch.py sends them.

Where others have to approve, the newest commit of a branch is asked for first (commits.py), so that
they approve that one and no later one. One transaction writes the trigger and its audit event. The
request id is made by the server for the form, so that a double click or a reload finds the trigger
that is there already.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from catalog.models import Entity
from pipelines.askers import Asker, actor_of, token_of
from pipelines.bounds import text, usable_id
from pipelines.commits import Pin, pin
from pipelines.effects import Effect, effect_of
from pipelines.facts import Facts, facts_of
from pipelines.fingerprints import fingerprint
from pipelines.inputs import check_gate, takes
from pipelines.models import (
    BrokenGlass,
    Build,
    Environment,
    Pipeline,
    StandingTrigger,
    Trigger,
)
from pipelines.providers.base import Capability, Gate
from pipelines.targets import decide_effect
from portal import audit
from portal.api_denials import for_the_trail
from portal.policy import Actor, Decision
from portal.policy import Effect as Verdict

# Of one person for one pipeline: each is a message to all who may approve. About as many, for forms
# that are sent at the same moment do not count each other.
MAX_WAITING = 20
DENIED_VALUE = 100  # characters

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
    asker: Asker,
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
    note: str = "",
    standing: StandingTrigger | None = None,
    request: HttpRequest | None = None,
) -> Outcome:
    """Asks for a write; the caller enqueues `tasks.dispatch` when a trigger was created.

    All but a start and an activation need `build` and take branch and commit from it. An unblock
    needs the `gate` as the server gave it for this build, a promotion its `target`. A `standing`
    trigger gives no commit but that of a build of its branch. A denial is audited and leaves no
    trigger. Raises ValueError for an action, gate or request id that no form of ours sends, and
    BadToken where a token that asks has just ended.
    """
    if action not in Trigger.Action.values:
        raise ValueError(f"unknown action {action!r}")
    on = _Subject.of(action, target.strip(), gate)
    given, wrong = dict(parameters or {}), {}
    if gate is not None:
        given, wrong = check_gate(gate, given)
    key, why = uuid.UUID(str(request_id)), text(note.strip(), 500)
    wish = _Wish(
        asker, key, action, entity, pipeline, branch, commit, given, wrong, build, on, why, standing
    )
    pin = _pin(wish)
    with transaction.atomic():
        return _take(wish.ask(pin), request)


def _pin(wish: "_Wish") -> Pin | None:
    """The commit that others would approve; None where nobody has to, or it was asked for already.
    Before the transaction, for it may ask the repository's host."""
    if not Environment.objects.filter(approvals__gt=0).exists():
        return None
    if Trigger.objects.filter(request_id=wish.request_id).exists():
        return None
    ask = wish.ask(None)
    if ask.effect.errors or ask.decide().effect is not Verdict.NEEDS_APPROVAL:
        return None
    return pin(wish.action, wish.pipeline, ask.effect)


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
class _Wish:
    """What was asked for, as it was asked for."""

    asker: Asker
    request_id: uuid.UUID
    action: str
    entity: Entity
    pipeline: Pipeline
    branch: str
    commit: str
    parameters: dict[str, str]
    errors: dict[str, str]
    build: Build | None
    subject: _Subject
    note: str
    standing: StandingTrigger | None

    def ask(self, pin: Pin | None) -> "_Ask":
        """With all that is computed for it, by the rules as they are now."""
        facts = facts_of(self.entity, [self.pipeline])
        effect = effect_of(
            self.action,
            self.pipeline,
            self.branch,
            self.parameters,
            commit=pin.commit if pin and not pin.unpinned else self.commit,
            subject=self.subject.id,
            subject_name=self.subject.name,
            build=self.build,
            rules=facts.rules,
        )
        found = self.standing is not None or (pin is not None and pin.found)
        effect = replace(
            effect,
            errors={**effect.errors, **self.errors},
            on_branch=effect.on_branch or found,
        )
        return _Ask(self, actor_of(self.asker), effect, facts, pin)


@dataclass(frozen=True)
class _Ask:
    """One request with all that was computed for it."""

    wish: _Wish
    actor: Actor
    effect: Effect
    facts: Facts
    pin: Pin | None

    def decide(self) -> Decision:
        wish = self.wish
        return decide_effect(
            self.actor, wish.action, wish.pipeline, self.effect, self.facts, build=wish.build
        )

    def trigger(self, decision: Decision) -> Trigger:
        """The row of the request; it waits for approvals where the decision says so."""
        wish, effect, now = self.wish, self.effect, timezone.now()
        trigger = Trigger(
            request_id=wish.request_id,
            action=wish.action,
            pipeline=wish.pipeline,
            entity=wish.entity,
            environment=effect.environment,
            actor_id=self.actor.user_id,
            actor_name=self.actor.name[:200],
            agent=self.actor.agent,
            token_id=token_of(wish.asker),
            team=self.facts.owner[:255],
            branch=effect.branch,
            commit=effect.commit,
            on_branch=effect.on_branch,
            parameters=effect.parameters,
            subject=wish.subject.id,
            subject_name=wish.subject.name,
            build=wish.build,
            note=wish.note,
            standing=wish.standing,
            glass=self.glass(decision, now),
            created_at=now,
        )
        asking = effect.asking
        if decision.effect is Verdict.NEEDS_APPROVAL and asking and self.pin:
            trigger.state = Trigger.State.AWAITING
            trigger.approvals_needed = asking.approvals
            trigger.approve_by = now + timedelta(minutes=asking.approval_minutes)
            trigger.commit, trigger.unpinned = self.pin.commit, self.pin.unpinned
            trigger.fingerprint = fingerprint(trigger, effect)
        return trigger

    def glass(self, decision: Decision, now: datetime) -> BrokenGlass | None:
        """What lets it through, where that is glass that the person has broken."""
        if decision.rule != "break-glass":
            return None
        slugs = [environment.slug for environment in self.effect.environments]
        return self.facts.open_glass(self.actor.user_id, slugs, now, self.wish.pipeline)

    def unpinned(self) -> str:
        """Why others can't approve what would run, as a sentence; "" when they can."""
        if self.pin is None:
            return "The rules have changed at this moment. Send it again."
        if not self.pin.unpinned:
            return ""
        pinned = (
            one for one in self.effect.environments if one.approvals and not one.allow_unpinned
        )
        strict = next(pinned, None)
        return f"Others approve one commit for {strict}. {self.pin.why}" if strict else ""

    def same_as(self, trigger: Trigger) -> bool:
        """Whether that trigger asks for the same, wherever it would take effect by now.

        What comes from a build may have been read anew in between.
        """
        wish = self.wish
        same_place = (
            trigger.action == wish.action
            and trigger.pipeline_id == wish.pipeline.pk
            and trigger.entity_id == wish.entity.pk
            and trigger.build_id == (wish.build.pk if wish.build else None)
            and trigger.subject == wish.subject.id
            and trigger.note == wish.note
        )
        if wish.action in {Trigger.Action.CANCEL, Trigger.Action.RETRY}:
            return same_place
        same_values = trigger.parameters == self.effect.parameters
        if wish.action == Trigger.Action.START:
            same_values &= trigger.branch == self.effect.branch
            # The commit that approvals are bound to was found for a form that named none.
            found = trigger.fingerprint and not self.effect.commit
            same_values &= bool(found) or trigger.commit == self.effect.commit
        return same_place and same_values


def _take(ask: _Ask, request: HttpRequest | None) -> Outcome:
    """Writes the trigger where policy allows it and nothing is to be mended."""
    known = Trigger.objects.filter(request_id=ask.wish.request_id).first()
    if known is not None:
        return _known(known, ask, request)
    decision = ask.decide()
    if not decision.askable:
        _audit(ask, decision, request)
        return Outcome(None, decision)
    errors = dict(ask.effect.errors) or ({} if decision.allowed else _in_the_way(ask))
    if errors:
        return Outcome(None, decision, errors)
    trigger, created = _keep(ask.trigger(decision))
    if not created:
        return _known(trigger, ask, request)
    _audit(ask, decision, request, trigger)
    return Outcome(trigger, decision, created=True)


def _keep(trigger: Trigger) -> tuple[Trigger, bool]:
    """The row, and whether it is new: another request may have made it at this moment."""
    try:
        with transaction.atomic():
            trigger.save()
    except IntegrityError:
        return Trigger.objects.get(request_id=trigger.request_id), False
    return trigger, True


def _in_the_way(ask: _Ask) -> dict[str, str]:
    """Why it can't wait for approvals, as an error of its field; empty when it can."""
    why = ask.unpinned()
    if why:
        return {_field_of_commit(ask.wish): why}
    alike = {"actor": ask.actor.user_id, "pipeline": ask.wish.pipeline}
    waiting = Trigger.objects.filter(state=Trigger.State.AWAITING, **alike).count()
    if waiting < MAX_WAITING:
        return {}
    return {"": f"{waiting} of your requests wait for approval here. Withdraw one first."}


def _field_of_commit(wish: _Wish) -> str:
    """Where the form asks for a commit, that is to be mended."""
    asks = wish.action == Trigger.Action.START and takes(wish.pipeline, Capability.COMMIT)
    return "commit" if asks else ""


def _known(trigger: Trigger, ask: _Ask, request: HttpRequest | None) -> Outcome:
    """A request id that was used before: the same trigger again, for the same asker only."""
    mine = (ask.actor.user_id, token_of(ask.wish.asker))
    if (trigger.actor_id, trigger.token_id) != mine:
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


def _cut(parameters: Mapping[str, str]) -> dict[str, str]:
    """As the trail has those of a denial, which costs its sender nothing."""
    return {name: value[:DENIED_VALUE] for name, value in parameters.items()}


def _audit(
    ask: _Ask, decision: Decision, request: HttpRequest | None, trigger: Trigger | None = None
) -> None:
    wish, environment = ask.wish, ask.effect.environment
    target = f"{wish.pipeline.server.slug}:{wish.pipeline.external_id}"
    token = token_of(wish.asker)
    if not decision.askable and not for_the_trail(token, f"build.{wish.action}", target):
        return
    audit.record(
        f"build.{wish.action}",
        actor=ask.actor,
        target=target,
        outcome="ok" if decision.askable else "denied",
        decision=decision,
        request=request,
        request_id=str(wish.request_id),
        data={
            "entity": wish.entity.ref,
            "team": ask.facts.owner,
            "environment": environment.slug if environment else "",
            "branch": ask.effect.branch,
            "commit": trigger.commit if trigger else ask.effect.commit,
            "subject": wish.subject.id,
            "subject_name": wish.subject.name,
            "parameters": ask.effect.parameters if trigger else _cut(ask.effect.parameters),
            "build": wish.build.external_id if wish.build else "",
            "mapping": decision.grant.mapping_id if decision.grant else None,
            "fingerprint": trigger.fingerprint if trigger else "",
            **({"by": token} if token else {}),
        },
    )
