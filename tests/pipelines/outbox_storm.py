"""Many triggers at every provider while answers get lost: making ready, and judging the outcome.

Shared by test_outbox_kill.py and tests/bench/triggers.py.
"""

import random
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q

from pipelines import outbox
from pipelines.budget import key_of
from pipelines.models import Build, PipelineLink, Quota, Server, Trigger
from pipelines.outbox import MAX_LOOKUPS
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability
from pipelines.triggers import request
from tests.pipelines.sandbox_fixture import SandboxHandle
from tests.pipelines.world import (
    JENKINS_KEY,
    confirmed_link,
    link_to,
    make_person,
    make_pipeline,
    make_service,
)

BLIND = "blind"
FAULTS: dict[str, dict[str, Any]] = {
    "lose_answer": {"probability": 0.08},
    "drop": {"probability": 0.05},
    "fail": {"probability": 0.05},
    # After each of these all writes to the server wait, for up to a minute.
    "rate_limit": {"probability": 0.04, "times": 2},
}


@dataclass
class Storm:
    """A sandbox with one link per provider, and one to the Jenkins that can't look up."""

    sandbox: SandboxHandle
    links: list[PipelineLink]


def make_links(sandbox: SandboxHandle, server_at: Callable[..., Server]) -> list[PipelineLink]:
    links = [link_to(sandbox, server_at, slug, keep_builds=10_000) for slug in sorted(PROVIDERS)]
    sandbox.instances[BLIND] = handle = sandbox.add("jenkins", BLIND)
    handle.pipeline("shop", parameters=["TICKET"], keep_builds=10_000)
    ticket = {"name": "TICKET", "type": "string", "default": ""}
    pipeline = make_pipeline(server_at(handle), "shop", default_branch="", parameters=[ticket])
    links.append(confirmed_link(make_service(BLIND, {JENKINS_KEY: f"{BLIND}:shop"}), pipeline))
    for link in links:
        without_budget(link.pipeline.server)
    return links


def without_budget(server: Server) -> None:
    """The vendors' limits are measured elsewhere; here every one of them would only take time."""
    for limit in PROVIDERS[server.provider].limits:
        Quota.objects.create(
            key=key_of(server), name=limit.name, limit=1_000_000, seconds=limit.seconds
        )


def ask_for_builds(storm: Storm, count: int, chance: random.Random) -> list[Trigger]:
    """So many starts, each submitted twice, server by server in turn."""
    user = User.objects.filter(username="ana").first() or make_person("ana", "deployer")
    triggers = []
    for position in range(count):
        link = storm.links[position % len(storm.links)]
        request_id = uuid.UUID(int=chance.getrandbits(128), version=4)
        blind = link.pipeline.server.slug == BLIND
        asked: dict[str, Any] = {
            "entity": link.entity,
            "pipeline": link.pipeline,
            "parameters": {"TICKET": str(request_id)} if blind else {},
            "request_id": request_id,
        }
        first, again = request(user, "start", **asked), request(user, "start", **asked)
        assert first.trigger is not None, first
        assert (first.created, again.created, again.trigger) == (True, False, first.trigger)
        triggers.append(first.trigger)
    return triggers


def set_faults(storm: Storm, seed: int) -> None:
    for link in storm.links:
        handle = storm.sandbox.instances[link.pipeline.server.slug]
        for number, (kind, how) in enumerate(FAULTS.items()):
            handle.fault(kind, "write", seed=seed + number, seconds=1, **how)


def open_triggers() -> int:
    """How many still wait for something that the portal does by itself."""
    given_up = Q(state="uncertain", lookups__gte=MAX_LOOKUPS)
    return Trigger.objects.exclude(Q(state__in=outbox.SETTLED) | given_up).count()


# --- Judging ----------------------------------------------------------------------------------
def find_fault(storm: Storm, slug: str) -> str:
    """What the server did and what the portal says, request id by request id; "" if they agree.

    Where the vendor can't look up, some stay uncertain and are in people's list; what the portal
    does say is true all the same.
    """
    started = _started(storm, slug)
    linked, failed, uncertain = (_ids(slug, state) for state in ("linked", "failed", "uncertain"))
    twice = sorted(name for name, times in started.items() if times > 1)
    can_find = slug != BLIND and Capability.FIND_BY_REQUEST_ID in PROVIDERS[slug].capabilities
    wrong = {
        "started twice": twice,
        "linked, never started": linked - set(started),
        "failed, but started": failed & set(started),
        "started and lost": set(started) - linked - uncertain,
        "uncertain though it can be looked up": uncertain if can_find else set(),
        "tied to another's build": linked ^ _tied(slug),
    }
    found = {what: names for what, names in wrong.items() if names}
    return f"{slug}: {found}" if found else ""


def _started(storm: Storm, slug: str) -> Counter[str]:
    if slug == BLIND:
        storm.sandbox.advance(600)
        builds = storm.sandbox.instances[slug].builds("shop")
        return Counter(build.parameters["TICKET"] for build in builds)
    accepted = storm.sandbox.accepted(slug)
    return Counter(entry.request_id for entry in accepted if entry.action == "start")


def _ids(slug: str, state: str) -> set[str]:
    rows = Trigger.objects.filter(state=state, pipeline__server__slug=slug)
    return {str(request_id) for request_id in rows.values_list("request_id", flat=True)}


def _tied(slug: str) -> set[str]:
    builds = Build.objects.filter(pipeline__server__slug=slug, trigger__isnull=False)
    return {str(request_id) for request_id in builds.values_list("trigger__request_id", flat=True)}
