"""Who keeps a name that several documents claim, and a person's word on it.

Who has it keeps it; else who came first; but a source that is trusted for the organisation takes
teams and people from one that is not. The others' documents are problems of stage "conflict",
which both sides' pages can ask for. A NameDecision lets the named source take the name with its
next reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from catalog import runs
from catalog.models import Entity, NameDecision, Source, SyncIssue, SyncRun
from catalog.reading import CONFLICT_STAGE, Issue, Reading, Stored
from portal import audit
from portal.access import fresh_actor
from portal.policy import Actor, Decision, Target
from portal.policy import decide as decide_policy

PERMISSION = "source.decide"
ACTION = "entity.name"
_MISSING = Entity.State.MISSING
_OF_THE_ORG = ("group:", "user:")
audit.register(ACTION, "decided which source keeps a name")


@dataclass(frozen=True)
class Claimant:
    """A document that describes the ref. `source` is None once it was deleted."""

    source: Source | None
    location: str
    line: int


@dataclass(frozen=True)
class Conflict:
    """`holder` is what the catalog shows; `claimants` are ignored. `decision` is a person's word,
    which may still wait for its source's next reading."""

    ref: str
    holder: Claimant | None
    claimants: tuple[Claimant, ...]
    decision: NameDecision | None


def conflicts_of(ref: str) -> Conflict | None:
    """Who holds the name and who claims it as well; None when nobody else does. Three queries."""
    lost = SyncIssue.objects.filter(entity_ref=ref, stage=CONFLICT_STAGE).select_related("source")
    claimants = tuple(Claimant(issue.source, issue.location, issue.line or 1) for issue in lost)
    if not claimants:
        return None
    held = (
        Entity.objects.filter(ref=ref).select_related("source").only("source", "location", "line")
    )
    entity = held.first()
    holder = Claimant(entity.source, entity.location, entity.line) if entity else None
    decision = NameDecision.objects.filter(entity_ref=ref).select_related("source", "by").first()
    return Conflict(ref, holder, claimants, decision)


def decide_for(actor: Actor, ref: str, source: Source | None = None) -> Decision:
    """Whether the actor may say who keeps the name; with `source`, whether it may be that one."""
    blocked = ""
    if source is not None:
        conflict = conflicts_of(ref)
        sides = [conflict.holder, *conflict.claimants] if conflict else []
        if not any(side and side.source and side.source.pk == source.pk for side in sides):
            blocked = f"The source {source.name} does not claim this name any more."
    target = Target(ref, blocked=blocked)
    return decide_policy(actor, PERMISSION, target, now=timezone.now())


def decide(
    ref: str, source: Source, user: User, request: HttpRequest | None
) -> tuple[SyncRun | None, Decision]:
    """Notes that the ref is read from this source, and asks for the reading that takes it.

    The run is to be handed to a worker; None when the decision refuses. Both are audited.
    """
    actor = fresh_actor(user.pk)
    decision = decide_for(actor, ref, source)
    run = None
    with transaction.atomic():
        if decision.allowed:
            now = timezone.now()
            values = {"source": source, "by": user, "decided_at": now}
            NameDecision.objects.update_or_create(entity_ref=ref, defaults=values)
            Source.objects.filter(pk=source.pk).update(next_due_at=now)
            run = runs.request(source, SyncRun.Cause.PERSON, user)
        audit.record(
            ACTION,
            actor=actor,
            target=ref,
            outcome="ok" if decision.allowed else "denied",
            decision=decision,
            request=request,
            data={"source": source.slug},
        )
    return run, decision


class Names:
    """Settles the claims of one reading. `known` are the entities that bear one of the names."""

    def __init__(self, source: Source, reading: Reading, known: Mapping[str, Entity]) -> None:
        self._source = source
        self._reading = reading
        self._known = known
        self._sources = Source.objects.only("name", "trusted_for_org").in_bulk()
        decided = dict(NameDecision.objects.values_list("entity_ref", "source_id"))
        self._given = {ref for ref, pk in decided.items() if pk == source.pk}
        self._decided = decided.keys()
        self._longest = Entity._meta.get_field("location").max_length
        self.winners: dict[str, Stored] = {}
        self.barred: set[str] = set()  # there, but can't be stored
        self.issues: list[Issue] = []
        self.taken: set[int] = set()  # sources that lose a name by a person's word
        for found in reading.valid:
            self._settle(found)

    @property
    def unsettled(self) -> set[str]:
        """The files of documents that lost, or can't be stored."""
        return {issue.location for issue in self.issues}

    def _settle(self, found: Stored) -> None:
        if len(found.location) > self._longest:
            self.barred.add(found.ref)
            sentence = f"The path is longer than {self._longest} characters."
            self.issues.append(found.issue("read", sentence))
            return
        held = self._known.get(found.ref)
        if held and held.source_id not in {None, self._source.pk}:
            if not self._takes(found.ref, held):
                where = f'the source "{self._sources[held.source_id].name}"'
                self._lose(found, where, held.location, held.line)
                return
            if held.state != _MISSING:
                self.taken.add(held.source_id)
        elif held and held.location in self._reading.unchanged and held.state != _MISSING:
            self._lose(found, "this source", held.location, held.line)
            return
        other = self.winners.setdefault(found.ref, found)
        if other is not found:
            self._settle_within(found, other, held)

    def _takes(self, ref: str, held: Entity) -> bool:
        """Whether this source gets a name that another one has.

        Once it is missing there it has moved here. Teams and people belong to whoever is trusted
        for them: a stranger's descriptor must not be able to bear a team's name first.
        """
        if ref in self._given:
            return True
        if ref in self._decided and held.state != _MISSING:
            return False
        theirs, mine = self._sources[held.source_id].trusted_for_org, self._source.trusted_for_org
        if ref.startswith(_OF_THE_ORG) and theirs != mine:
            return mine
        return held.state == _MISSING

    def _settle_within(self, found: Stored, other: Stored, held: Entity | None) -> None:
        winner, loser = other, found
        if held and held.location == found.location != other.location:
            winner, loser = found, other
        self.winners[found.ref] = winner
        self._lose(loser, "this source", winner.location, winner.line)

    def _lose(self, found: Stored, where: str, location: str, line: int) -> None:
        sentence = (
            f"{found.ref} is described by {where} already, in {location} at line {line}. "
            "That one keeps the name; this document is ignored."
        )
        self.issues.append(found.issue(CONFLICT_STAGE, sentence))
