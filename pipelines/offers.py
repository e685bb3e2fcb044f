"""What a page offers a person: the writes that policy allows, and the reason for the others."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from catalog.models import Entity
from catalog.queries import scopes_of
from pipelines.effects import effect_of
from pipelines.facts import facts_of
from pipelines.models import Build, Pipeline
from pipelines.targets import decide_for
from portal.guard import actor_of
from portal.policy import Actor, Decision, Target, decide


@dataclass(frozen=True)
class Offer:
    """A button that would work: where it posts to, with a request id made for it."""

    label: str
    url: str
    danger: bool = False
    request_id: uuid.UUID = field(default_factory=uuid.uuid4)


def may_see(
    request: HttpRequest, entities: Iterable[Entity], permission: str = "build.view"
) -> Decision:
    """Whether the person may see builds (or logs) of something that belongs to these entities."""
    scopes: frozenset[tuple[str, str]] = frozenset()
    label = "this pipeline"
    for entity in entities:
        scopes |= scopes_of(entity)
        label = str(entity)
    return decide(actor_of(request), permission, Target(label, scopes), now=timezone.now())


class Offers:
    """The answers for one person and one service; its facts are read once, about seven queries."""

    def __init__(self, actor: Actor, entity: Entity, pipelines: Sequence[Pipeline]) -> None:
        self.actor = actor
        self.entity = entity
        self.facts = facts_of(entity, pipelines)

    def see(self) -> Decision:
        """May they see the service's builds?"""
        target = Target(str(self.entity), self.facts.scopes)
        return decide(self.actor, "build.view", target, now=timezone.now())

    def run(self, pipeline: Pipeline) -> Decision:
        """May they run the pipeline as it would run without any choice made?"""
        return decide_for(self.actor, "start", self.entity, pipeline, facts=self.facts)

    def environment(self, pipeline: Pipeline) -> str:
        """Where that would take effect, as people know it."""
        effect = effect_of("start", pipeline, "", {}, rules=self.facts.rules)
        return effect.environment.name if effect.environment else ""

    def on_build(self, build: Build) -> list[Offer]:
        """Retry when it has ended, else cancel; only what is allowed."""
        action, label = ("retry", "Retry") if build.is_final else ("cancel", "Cancel")
        pipeline = build.pipeline
        decision = decide_for(
            self.actor, action, self.entity, pipeline, build=build, facts=self.facts
        )
        if not decision.allowed:
            return []
        url = reverse(f"pipelines:build_{action}", args=[build.pk])
        return [Offer(label, url, action == "cancel")]
