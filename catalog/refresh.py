"""Having one entity read again: who may, what is read for it, and what came of it."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from catalog import runs
from catalog.models import Entity, NameDecision, Repository, SyncIssue, SyncRun
from catalog.reading import CONFLICT_STAGE
from catalog.scopes import scopes_of
from portal import audit
from portal.access import fresh_actor
from portal.policy import Actor, Decision, Target, decide

ACTION = "entity.refresh"
audit.register(ACTION, "had an entity read again")


def decide_for(actor: Actor, entity: Entity) -> Decision:
    """Whoever may do so for the entity; what else its source holds is read with it."""
    blocked = ""
    if entity.source is None:
        blocked = "Its source was deleted, so there is nothing to read it from."
    elif not entity.source.enabled:
        blocked = f"The source {entity.source} is switched off. An administrator can change that."
    target = Target(str(entity), scopes_of(entity), blocked=blocked)
    return decide(actor, ACTION, target, now=timezone.now())


def ask(user: User, entity: Entity, request: HttpRequest) -> tuple[SyncRun | None, Decision]:
    """A run to hand to a worker, or None with the decision that refuses; both are audited.

    Where the source is a host of many repositories, only the entity's own is read.
    """
    actor = fresh_actor(user.pk)
    decision = decide_for(actor, entity)
    run = None
    with transaction.atomic():
        if decision.allowed and entity.source is not None:
            run = runs.request(
                entity.source, SyncRun.Cause.PERSON, user, partial=_flag_repository(entity)
            )
        audit.record(
            ACTION,
            actor=actor,
            target=entity.ref,
            outcome="ok" if run else "denied",
            decision=decision,
            request=request,
            data={"run": run.pk} if run else {},
        )
    return run, decision


def _flag_repository(entity: Entity) -> bool:
    repository = entity.file.repository_id if entity.file else None
    found = Repository.objects.filter(pk=repository, state=Repository.State.ACTIVE)
    return bool(found.update(flagged_at=timezone.now()))


@dataclass(frozen=True)
class Result:
    """What a reading meant for one entity; `tone` is a notice's: info, success, warning, error."""

    run: SyncRun
    tone: str
    sentence: str
    changed: bool = False

    @property
    def is_open(self) -> bool:
        return self.run.state in runs.OPEN


def result_of(entity: Entity, run_id: str) -> Result | None:
    """How a reading goes or went; None where the number is no reading of the entity's source."""
    if not run_id.isascii() or not run_id.isdigit() or len(run_id) > 18:
        return None
    chosen = NameDecision.objects.filter(entity_ref=entity.ref).values("source")
    readings = SyncRun.objects.filter(pk=int(run_id), dry_run=False)
    run = readings.filter(source=entity.source_id).first()
    run = run or readings.filter(source__in=chosen).first()
    if run is None:
        return None
    if run.state == SyncRun.State.QUEUED:
        return Result(run, "info", "Waiting for a worker to read it.")
    if run.state == SyncRun.State.RUNNING:
        return Result(run, "info", "Being read.")
    if run.state == SyncRun.State.FAILED:
        return Result(run, "error", f"It could not be read: {run.message}")
    return _told(entity, run)


def _told(entity: Entity, run: SyncRun) -> Result:
    began = run.started_at or run.created_at
    if entity.gone_at and entity.gone_at >= began:
        return Result(run, "warning", f"It is not there any more. {entity.reason}", True)
    errors = SyncIssue.objects.filter(run=run, entity_ref=entity.ref, severity="error")
    if errors.exclude(stage=CONFLICT_STAGE).exists():
        return Result(run, "error", "Its descriptor is not valid: see its problems.", True)
    if entity.changed_at >= began:
        return Result(run, "success", "It changed; this page shows it as it is now.", True)
    return Result(run, "success", "Nothing changed.")
