"""Requests that wait for approval, as one person sees them: all, one, and how many."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import QuerySet, Window
from django.db.models.functions import RowNumber

from catalog.sources.web_urls import parse_repository
from pipelines.approvers import PERMISSION, decide_approval, who
from pipelines.facts import Facts, facts_of
from pipelines.models import Approval, Trigger
from pipelines.outbox import State
from pipelines.unsettled import facts_by_entity, grants_with, in_scope, seeing
from portal.policy import Actor, Decision

MAX_LISTED = 100
RELATED = (
    "pipeline__server",
    "entity__source",
    "environment__approver_role",
    "build__trigger",
    "actor",
)


@dataclass(frozen=True)
class Waiting:
    """One request: whether this person may approve it, who has, and who could."""

    trigger: Trigger
    approve: Decision
    words: list[Approval] = field(default_factory=list)
    who: tuple[str, ...] = ()  # the groups whose members may approve
    said: bool = False  # this person has given their word

    @property
    def is_open(self) -> bool:
        return self.trigger.state == State.AWAITING

    @property
    def mine(self) -> bool:
        """Whether it waits for this very person."""
        return self.is_open and self.approve.allowed and not self.said

    @property
    def lacking(self) -> int:
        yes = [word for word in self.words if word.verdict == Approval.Verdict.APPROVE]
        return max(0, self.trigger.approvals_needed - len(yes))

    @property
    def commit_url(self) -> str:
        """The commit's page at its host, where that is known."""
        repository = parse_repository(self.trigger.pipeline.repository)
        return repository.commit(self.trigger.commit) if repository else ""


def may_list(actor: Actor) -> bool:
    """Whether the person may see or approve requests of anything; waiting() then says which."""
    return bool(seeing(actor) or grants_with(actor, PERMISSION))


def waiting(actor: Actor) -> list[Waiting]:
    """What this person may see: first what waits for them, then their own, then other people's."""
    rows = Trigger.objects.filter(state=State.AWAITING)
    grants = [*seeing(actor), *grants_with(actor, PERMISSION)]
    seen = rows.filter(in_scope(grants)) | rows.filter(actor=actor.user_id)
    items = seen_by(actor, _in_turn(seen))
    own = actor.user_id
    return sorted(items, key=lambda item: (not item.mine, item.trigger.actor_id != own))


def to_approve(actor: Actor) -> int:
    """How many wait for this very person."""
    grants = grants_with(actor, PERMISSION)
    rows = Trigger.objects.filter(state=State.AWAITING).exclude(actor=actor.user_id)
    if not grants or not rows.exists():
        return 0
    found = _in_turn(rows.filter(in_scope(grants)))
    return sum(item.mine for item in seen_by(actor, found))


def _in_turn(rows: QuerySet[Trigger]) -> list[Trigger]:
    """As many as are listed: of everybody their first, then their second, so that nobody's many
    hide another's one; then what ends first."""
    order = ("approve_by", "pk")
    turn = Window(RowNumber(), partition_by="actor", order_by=order)
    chosen = rows.annotate(turn=turn).order_by("turn", *order)[:MAX_LISTED]
    found = Trigger.objects.filter(pk__in=[row.pk for row in chosen.only("pk")])
    return list(found.select_related(*RELATED).order_by(*order))


def seen_by(actor: Actor, triggers: Iterable[Trigger]) -> list[Waiting]:
    """The same for requests of any state; facts are read once for each service."""
    rows = list(triggers)
    facts = facts_by_entity(rows)
    words = _words(rows)
    return [_item(actor, row, facts[row.entity_id], words.get(row.pk, [])) for row in rows]


def one(actor: Actor, trigger: Trigger) -> Waiting | None:
    """For the request's own page; None where it needed nobody's approval."""
    if not trigger.approvals_needed:
        return None
    facts = facts_of(trigger.entity, [trigger.pipeline])
    return _item(actor, trigger, facts, _words([trigger]).get(trigger.pk, []))


def _item(actor: Actor, trigger: Trigger, facts: Facts, words: list[Approval]) -> Waiting:
    return Waiting(
        trigger,
        decide_approval(actor, trigger, facts),
        words,
        who(trigger, facts),
        any(word.approver_id == actor.user_id for word in words),
    )


def _words(triggers: Iterable[Trigger]) -> dict[int, list[Approval]]:
    """What was said of each, the first word first."""
    found: dict[int, list[Approval]] = {}
    for word in Approval.objects.filter(trigger__in=list(triggers)).select_related("approver"):
        found.setdefault(word.trigger_id, []).append(word)
    return found
