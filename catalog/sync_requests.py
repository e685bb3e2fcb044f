"""Whether a person may have a source read now, and the asking itself."""

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from catalog import runs
from catalog.models import Source, SyncRun
from portal import audit
from portal.access import fresh_actor
from portal.policy import Actor, Decision, Target, decide

ACTION = "source.sync"
audit.register(ACTION, "had a catalog source read")


def decide_for(actor: Actor, source: Source) -> Decision:
    """A source may hold anything, so only a grant for everything covers it."""
    off = "" if source.enabled else "This source is switched off. An administrator can change that."
    target = Target(f"the source {source.name}", blocked=off)
    return decide(actor, ACTION, target, now=timezone.now())


def ask(
    user: User, source: Source, request: HttpRequest, *, dry_run: bool = False
) -> tuple[SyncRun | None, Decision]:
    """A run to hand to a worker, or None with the decision that refuses; both are audited.

    A dry run changes nothing, but asks the host as often as a real one, so it needs the same right.
    """
    actor = fresh_actor(user.pk)
    decision = decide_for(actor, source)
    with transaction.atomic():
        run = None
        if decision.allowed:
            run = runs.request(source, SyncRun.Cause.PERSON, user, dry_run=dry_run)
        audit.record(
            ACTION,
            actor=actor,
            target=f"source: {source.slug}",
            outcome="ok" if run else "denied",
            decision=decision,
            request=request,
            data={"run": run.pk} | ({"dry_run": True} if dry_run else {}) if run else {},
        )
    return run, decision
