"""Incidents: a build that is of another commit than people approved, and who closes it."""

import re
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from catalog.models import Entity
from pipelines.bounds import text
from pipelines.facts import Facts, facts_of
from pipelines.models import Build, Incident, Trigger
from pipelines.seen import seen_builds_by
from pipelines.targets import decide_about
from pipelines.trigger_trail import about, note, target_of
from portal import audit
from portal.access import fresh_actor
from portal.policy import Actor, Decision

audit.register("incident.raise", "found something that must not happen")
audit.register("incident.close", "closed an incident")

OTHER_COMMIT = "other-commit"
# A build that waits may be of "HEAD" yet, and a shorter id could be anybody's.
_HEX = re.compile(r"[0-9a-fA-F]{7,64}")
SHOWN_FOR = timedelta(days=30)
MAX_LISTED = 100
SAY_HOW = "Say what came of it."
CLOSED = "It is closed already."


def compare(build: Build) -> None:
    """Raises an incident where a build is of another commit than its request was approved for.

    In the caller's transaction, and once for a request however often the build is read.
    """
    if build.trigger_id is None or not _HEX.fullmatch(build.commit):
        return
    rows = Trigger.objects.exclude(fingerprint="").exclude(commit="")
    related = ("pipeline__server", "entity", "environment")
    trigger = rows.select_related(*related).filter(pk=build.trigger_id).first()
    if trigger is None or trigger.commit.startswith(build.commit.lower()):
        return
    what = (
        f"{trigger.pipeline} {build.label} runs {build.commit[:12]}, and approved was "
        f"{trigger.commit[:12]}."
    )
    _, created = Incident.objects.get_or_create(
        trigger=trigger, kind=OTHER_COMMIT, defaults={"what": what[:500]}
    )
    if created:
        data = {"build": build.external_id, "commit": build.commit, "approved": trigger.commit}
        note(trigger, "incident.raise", "failed", what, data=data)


def may_close(actor: Actor, incident: Incident, facts: Facts | None = None) -> Decision:
    """Whoever may settle requests of that service in that environment, and asked for none of it."""
    trigger = incident.trigger
    entity = trigger.entity if trigger else None
    pipelines = [trigger.pipeline] if trigger else []
    own = trigger is not None and trigger.actor_id == actor.user_id
    return decide_about(
        facts or facts_of(entity, pipelines),
        actor,
        "trigger.settle",
        environment=trigger.environment if trigger else None,
        blocked="Somebody else than who asked for the run has to close it." if own else "",
        label="this incident",
    )


def listed(actor: Actor) -> list[Incident]:
    """The newest ones that the person may see, or asked for: open ones first, then those of the
    last month."""
    recent = timezone.now() - SHOWN_FOR
    rows = seen_by(actor).filter(Q(closed_at=None) | Q(closed_at__gt=recent))
    return list(rows.order_by(F("closed_at").asc(nulls_first=True), "-pk")[:MAX_LISTED])


def seen_by(actor: Actor) -> QuerySet[Incident]:
    """Those of what the person may see, or asked for."""
    seen = seen_builds_by(actor).of_triggers("trigger__")
    mine = Q(trigger__actor=actor.user_id) if seen else Q()
    related = ("pipeline__server", "entity__source", "environment")
    rows = Incident.objects.select_related("closed_by", *(f"trigger__{name}" for name in related))
    return rows.filter(seen | mine)


def open_incidents(entity: Entity) -> QuerySet[Incident]:
    """Those of a service that nobody has closed."""
    return Incident.objects.filter(trigger__entity=entity, closed_at=None)


def close(user: User, incident: Incident, comment: str, request: HttpRequest | None = None) -> str:
    """Closes it with a comment; why not, or "". Refusals are audited too."""
    comment = text(comment.strip(), 500)
    with transaction.atomic():
        actor = fresh_actor(user.pk)
        decision = may_close(actor, incident)
        refusal = "" if decision.allowed else decision.reason
        if not refusal and not comment:
            refusal = SAY_HOW
        now_open = Incident.objects.filter(pk=incident.pk, closed_at=None)
        values = {"closed_by": user, "closed_at": timezone.now(), "comment": comment}
        if not refusal and not now_open.update(**values):
            refusal = CLOSED
        _audit(incident, actor, decision, comment, refusal, request)
    return refusal


def _audit(  # noqa: PLR0917  what one event tells
    incident: Incident,
    actor: Actor,
    decision: Decision,
    comment: str,
    refusal: str,
    request: HttpRequest | None,
) -> None:
    trigger = incident.trigger
    audit.record(
        "incident.close",
        actor=actor,
        target=target_of(trigger) if trigger else f"incident {incident.pk}",
        outcome="ok" if not refusal else "failed" if decision.allowed else "denied",
        decision=decision,
        reason=refusal,
        request=request,
        request_id=str(trigger.request_id) if trigger else "",
        data={**(about(trigger) if trigger else {}), "what": incident.what, "comment": comment},
    )
