"""What a page offers a person: the writes that policy allows, and the reason for the others."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from catalog.models import Entity
from catalog.queries import scopes_of
from pipelines.models import Build, PipelineLink
from pipelines.queries import MOVING
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


def run_decision(actor: Actor, link: PipelineLink) -> Decision:
    """May this person run the pipeline as it would run without any choice made?"""
    return decide_for(actor, "start", link.entity, link.pipeline)


def actions_for(actor: Actor, link: PipelineLink, build: Build) -> list[Offer]:
    """Cancel while it moves, retry when it has ended; only what is allowed."""
    action, label = ("cancel", "Cancel") if build.state in MOVING else ("retry", "Retry")
    decision = decide_for(actor, action, link.entity, link.pipeline, build=build)
    if not decision.allowed:
        return []
    return [Offer(label, reverse(f"pipelines:build_{action}", args=[build.pk]), action == "cancel")]
