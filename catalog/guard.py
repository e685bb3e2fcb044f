"""The brake on mass removal: when too much of a source is gone at once, a person decides first.

A token that sees less, a folder that was moved or a wrong filter look just like a reorganisation.
What is held back is not marked; the reading itself is a success. Released is exactly the set that
the person saw: one entity more, and the question is asked again.
"""

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from catalog import runs
from catalog.models import Source, SyncRun
from portal import audit
from portal.access import fresh_actor
from portal.policy import Actor, Decision, Target, decide

PERMISSION = "source.decide"
ACTION = "source.release"
audit.register(ACTION, "let many entities of a source go")
# Fewer than these are everyday work, whatever share of a small source they are.
LEAST = 5
# Of those held back, so many are named on the source's page.
NAMED = 200


def digest_of(refs: Collection[str]) -> str:
    """Names a set of entities."""
    return hashlib.sha256("\n".join(sorted(refs)).encode()).hexdigest()


def held_back(source: Source, refs: Collection[str], of: int, now: datetime) -> dict[str, Any]:
    """What goes into Source.held when these may not be marked as missing; {}: they may.

    `of` is how many of the source's entities are not missing yet, these included.
    """
    if len(refs) < LEAST or len(refs) * 100 <= source.max_missing_percent * of:
        return {}
    digest = digest_of(refs)
    if digest == source.released:
        return {}
    since = source.held.get("since") or now.isoformat()
    held = {"digest": digest, "count": len(refs), "of": of, "since": since}
    return {**held, "refs": sorted(refs)[:NAMED]}


def sentence(held: dict[str, Any]) -> str:
    """What is held back and what to do about it; "" when nothing is."""
    if not held:
        return ""
    return (
        f"{held['count']:,} of its {held['of']:,} entities are gone at once, so nothing is marked. "
        "Check the source; if this is right, let them go on the source's page."
    )


def decide_for(actor: Actor, source: Source) -> Decision:
    """Whether the actor may let go what is held back."""
    nothing = "" if source.held else "Nothing is held back any more."
    target = Target(f"the source {source.name}", blocked=nothing)
    return decide(actor, PERMISSION, target, now=timezone.now())


def release(
    source: Source, digest: str, user: User, request: HttpRequest | None
) -> tuple[SyncRun | None, Decision]:
    """Lets exactly the held set go with the next reading, which is a run to hand to a worker.

    None: refused by the decision, or the set has changed since the person saw it.
    """
    actor = fresh_actor(user.pk)
    with transaction.atomic():
        source = Source.objects.select_for_update().get(pk=source.pk)
        decision = decide_for(actor, source)
        same = bool(digest) and source.held.get("digest") == digest
        done = decision.allowed and same
        run = None
        if done:
            now = timezone.now()
            Source.objects.filter(pk=source.pk).update(released=digest, next_due_at=now)
            run = runs.request(source, SyncRun.Cause.PERSON, user)
        audit.record(
            ACTION,
            actor=actor,
            target=f"source: {source.slug}",
            outcome="ok" if done else "denied",
            decision=decision,
            request=request,
            reason="" if same else "What is held back has changed.",
            data={"count": source.held.get("count", 0), "of": source.held.get("of", 0)},
        )
    return run, decision
