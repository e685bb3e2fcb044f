"""What a page offers a person: the writes that policy allows, and the reason for the others."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from catalog.models import Entity
from catalog.scopes import scopes_of
from pipelines.bounds import text
from pipelines.effects import Effect, effect_of, is_on_branch
from pipelines.environments import by_strictness
from pipelines.facts import facts_of
from pipelines.forms import GateForm
from pipelines.glass import way_out
from pipelines.inputs import check_gate, parameter_items, secrets_of
from pipelines.models import Build, Pipeline
from pipelines.providers.base import Gate, State
from pipelines.scopes import scopes_of_pipeline
from pipelines.targets import decide_about, decide_effect, decide_for, lacks
from portal.guard import actor_of
from portal.policy import Actor, Decision, Target, decide

BUTTONS = {"retry": "Retry", "cancel": "Cancel", "promote": "Promote"}


@dataclass(frozen=True)
class Offer:
    """A button that would work: where it posts to, with a request id made for it.

    `asks`: it leads to a page that asks for more.
    """

    label: str
    url: str
    danger: bool = False
    asks: bool = False
    request_id: uuid.UUID = field(default_factory=uuid.uuid4)


@dataclass(frozen=True)
class Refusal:
    """A button that does nothing for this person at this moment, and why."""

    action: str
    label: str
    decision: Decision
    glass_url: str = ""


@dataclass(frozen=True)
class GateOffer:
    """One gate of a waiting build: what is asked for, and whether the person may open it."""

    gate: Gate
    form: GateForm
    decision: Decision
    environment: str
    secrets: Sequence[str]  # what it asks for and nobody can give from here
    glass_url: str = ""


def may_see(
    request: HttpRequest,
    entities: Iterable[Entity],
    permission: str = "build.view",
    pipeline: Pipeline | None = None,
) -> Decision:
    """Whether the person may see builds (or logs) of something that belongs to these entities, or
    of this pipeline."""
    return sees(actor_of(request), entities, permission, pipeline)


def sees(
    actor: Actor,
    entities: Iterable[Entity],
    permission: str = "build.view",
    pipeline: Pipeline | None = None,
) -> Decision:
    """The same, of an actor: a page's person, or who calls by a token."""
    scopes = scopes_of_pipeline(pipeline) if pipeline else frozenset()
    label = "this pipeline"
    for entity in entities:
        scopes |= scopes_of(entity)
        label = str(entity)
    return decide(actor, permission, Target(label, scopes), now=timezone.now())


class Offers:
    """The answers for one person and one service; its facts are read once, about seven queries."""

    def __init__(self, actor: Actor, entity: Entity, pipelines: Sequence[Pipeline]) -> None:
        self.actor = actor
        self.entity = entity
        self.facts = facts_of(entity, pipelines)

    def see(self) -> Decision:
        """May they see the service's builds?"""
        return decide_about(self.facts, self.actor, "build.view")

    def run(self, pipeline: Pipeline) -> Decision:
        """May they run the pipeline as it would run without any choice made? If not so: with some
        choice of branch and parameters, which the run page asks for?"""
        decision = decide_for(self.actor, "start", self.entity, pipeline, facts=self.facts)
        if decision.askable or not self.actor.holds("build.start"):
            return decision
        reachable = self.facts.rules.reachable(pipeline)
        effects = (Effect("", {}, environment) for environment in reachable)
        chosen = (
            decide_effect(self.actor, "start", pipeline, effect, self.facts, unchosen=True)
            for effect in effects
        )
        return next((other for other in chosen if other.askable), decision)

    def way_out(self, pipeline: Pipeline, decision: Decision) -> str:
        """The page that breaks the glass, where that would let the person run the pipeline."""
        effect = effect_of("start", pipeline, "", {}, rules=self.facts.rules)
        return way_out(self.actor, decision, effect.environment, self.facts)

    def environment(self, pipeline: Pipeline) -> str:
        """Where that would take effect, as people know it."""
        effect = effect_of("start", pipeline, "", {}, rules=self.facts.rules)
        return effect.environment.name if effect.environment else ""

    def activate(self, pipeline: Pipeline) -> Decision | None:
        """May they switch it on? None when it is on."""
        if pipeline.active:
            return None
        return decide_for(self.actor, "activate", self.entity, pipeline, facts=self.facts)

    def on_build(self, build: Build) -> list[Offer]:
        """Retry when it has ended, else cancel; promote what passed. Only what is allowed."""
        action = "retry" if build.is_final else "cancel"
        offers = []
        if self._may(action, build):
            url = reverse(f"pipelines:build_{action}", args=[build.pk])
            offers.append(Offer(BUTTONS[action], url, action == "cancel"))
        if build.state == State.PASSED and self._may_promote(build):
            url = reverse("pipelines:build_promote", args=[build.pk])
            offers.append(Offer(BUTTONS["promote"], url, asks=True))
        return offers

    def refused(self, build: Build) -> list[Refusal]:
        """What on_build() leaves out although the server could do it."""
        found = []
        for action, decision in self.decisions(build).items():
            if action in BUTTONS and not decision.askable and not lacks(action, build.pipeline):
                out = "" if action == "promote" else self._way_out_of(action, build, decision)
                found.append(Refusal(action, BUTTONS[action], decision, out))
        return found

    def _way_out_of(self, action: str, build: Build, decision: Decision) -> str:
        effect = effect_of(action, build.pipeline, "", {}, build=build, rules=self.facts.rules)
        return way_out(self.actor, decision, effect.environment, self.facts)

    def decisions(self, build: Build) -> dict[str, Decision]:
        """What may be done with the build as it is: by action, also what may not."""
        action = "retry" if build.is_final else "cancel"
        found = {action: self._decide(action, build)}
        if build.state == State.PASSED:
            found["promote"] = self._promote(build)
        if build.state == State.WAITING:
            found["unblock"] = self._decide("unblock", build)
        return found

    def on_gate(self, build: Build, gate: Gate, form: GateForm) -> GateOffer:
        """The gate with its form; decided as it would be opened as the form stands."""
        values, _ = check_gate(gate, form.parameters)
        name = text(gate.name, 200)
        effect = effect_of(
            "unblock",
            build.pipeline,
            "",
            values,
            subject_name=name,
            build=build,
            rules=self.facts.rules,
        )
        decision = decide_effect(
            self.actor, "unblock", build.pipeline, effect, self.facts, build=build
        )
        environment = effect.environment.name if effect.environment else ""
        secret = secrets_of(parameter_items(gate))
        out = way_out(self.actor, decision, effect.environment, self.facts)
        return GateOffer(gate, form, decision, environment, secret, out)

    def _may(self, action: str, build: Build) -> bool:
        return self._decide(action, build).askable

    def _decide(self, action: str, build: Build) -> Decision:
        return decide_for(
            self.actor, action, self.entity, build.pipeline, build=build, facts=self.facts
        )

    def _may_promote(self, build: Build) -> bool:
        return self._promote(build).askable

    def _promote(self, build: Build) -> Decision:
        """Whether there is any environment that they may promote to; the page asks where. If
        not: why not to the strictest."""
        rules = self.facts.rules
        places = [*(rule.environment for rule in rules.rules), rules.fallback]
        environments = by_strictness(places) or (None,)
        on_branch = is_on_branch(build, build.pipeline)
        effects = (Effect(build.branch, {}, one, on_branch=on_branch) for one in environments)
        found = [
            decide_effect(self.actor, "promote", build.pipeline, effect, self.facts, build=build)
            for effect in effects
        ]
        return next((decision for decision in found if decision.askable), found[0])
