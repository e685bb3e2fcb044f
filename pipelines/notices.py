"""Messages about approvals and incidents: who is told of what, and in which words.

What is due is in the rows: of which state of a request people were told, and which incident nobody
was told of. A claim comes first, so that two workers write once. Messages hold no parameters and
lead to a page behind the sign-in; nothing is approved by opening a link.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from pipelines import addresses
from pipelines.approvers import given
from pipelines.facts import facts_of
from pipelines.models import Incident, Trigger
from pipelines.outbox import State
from portal import notify
from portal.access import display_name

# What is older is no news any more.
NEWS = timedelta(days=2)
REMIND_BEFORE = timedelta(hours=1)
MAX_DUE = 50
APPROVED = "approved"
RELATED = ("pipeline__server", "entity__source", "environment__approver_role", "actor")
# state -> what people are told of; anything else that was approved is APPROVED
ENDINGS: Mapping[str, str] = {
    State.REFUSED: "was refused",
    State.EXPIRED: "expired, because nobody approved it in time",
    State.DENIED: "was not sent",
}


@dataclass(frozen=True)
class Message:
    """To an address, or to the channel of the whole company where there is none."""

    subject: str
    text: str
    address: str = ""


def due(now: datetime) -> list[int]:
    """Ids of requests of whose state somebody has yet to be told."""
    if not notify.is_on() and not notify.slack_is_on():
        return []
    rows = Trigger.objects.filter(approvals_needed__gt=0).exclude(state=State.WITHDRAWN)
    awaiting = Q(state=State.AWAITING)
    ended = Q(state__in=list(ENDINGS))
    news = (awaiting & ~Q(told=State.AWAITING)) | (~awaiting & ~ended & ~Q(told=APPROVED))
    for state in ENDINGS:
        news |= Q(state=state) & ~Q(told=state)
    recent = rows.filter(news, approve_by__gt=now - NEWS)
    ids = list(recent.order_by("pk").values_list("pk", flat=True)[:MAX_DUE])
    return ids + _to_remind(now)


def _to_remind(now: datetime) -> list[int]:
    """What expires within the hour, when at least half of its time is over."""
    rows = Trigger.objects.filter(state=State.AWAITING, told=State.AWAITING, reminded_at=None)
    soon = rows.filter(approve_by__gt=now, approve_by__lte=now + REMIND_BEFORE)[:MAX_DUE]
    return [
        row.pk for row in soon if row.approve_by and row.approve_by - now <= now - row.created_at
    ]


def tell(trigger_id: int, now: datetime) -> list[Message]:
    """The messages to send now, unless another worker has them."""
    trigger = Trigger.objects.select_related(*RELATED).filter(pk=trigger_id).first()
    if trigger is None or not trigger.approvals_needed or trigger.state == State.WITHDRAWN:
        return []
    rows = Trigger.objects.filter(pk=trigger_id, state=trigger.state)
    news = _news(trigger)
    if trigger.told != news:
        if not rows.exclude(told=news).update(told=news):
            return []
        return _asking(trigger) if news == State.AWAITING else _result(trigger, news)
    late = trigger.state == State.AWAITING and trigger_id in _to_remind(now)
    if late and rows.filter(reminded_at=None).update(reminded_at=now):
        return _asking(trigger, reminder=True)
    return []


def _news(trigger: Trigger) -> str:
    known = trigger.state == State.AWAITING or trigger.state in ENDINGS
    return trigger.state if known else APPROVED


def _asking(trigger: Trigger, *, reminder: bool = False) -> list[Message]:
    """To those who may approve it."""
    facts = facts_of(trigger.entity, [trigger.pipeline])
    what, until = sentence(trigger), f"{trigger.approve_by:%d %B %H:%M} UTC"
    subject = f"{'Still waiting' if reminder else 'Waiting'} for approval: {what}"
    text = (
        f"{what}\n\nNothing is sent before {_people(trigger)} approved it, until {until}.\n"
        f"Look at it, and approve or refuse it:\n{url(trigger)}\n\n"
        "You get this because you may approve it.\n"
    )
    mails = [Message(subject, text, to) for to in addresses.approvers(trigger, facts)]
    slack = [] if reminder else [Message("", f"{what}\n{url(trigger)}")]
    return mails + slack


def _people(trigger: Trigger) -> str:
    needed = trigger.approvals_needed
    return "another person has" if needed == 1 else f"{needed} other people have"


def _result(trigger: Trigger, news: str) -> list[Message]:
    """To whoever asked."""
    what = _what(trigger)
    if news == APPROVED:
        names = ", ".join(_line(display_name(word.approver)) for word in given(trigger))
        ending = f"was approved by {names}" if names else "was approved"
    else:
        ending = ENDINGS[news]
    why = f" {_line(trigger.message)}" if news in ENDINGS and trigger.message else ""
    text = f"Your request to {what} {ending}.{why}\n\n{url(trigger)}\n"
    subject = f"Your request to {what} {ending.partition(',')[0]}"
    return [Message(subject, text, to) for to in addresses.requester(trigger)]


# --- Incidents -------------------------------------------------------------------------------
def incidents_due() -> list[int]:
    """Ids of incidents that nobody was told of."""
    if not notify.is_on() and not notify.slack_is_on():
        return []
    rows = Incident.objects.filter(told_at=None, closed_at=None).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:MAX_DUE])


def tell_of_incident(incident_id: int, now: datetime) -> list[Message]:
    """To the owners of the service, unless another worker has it."""
    if not Incident.objects.filter(pk=incident_id, told_at=None).update(told_at=now):
        return []
    related = [f"trigger__{name}" for name in RELATED]
    incident = Incident.objects.select_related(*related).get(pk=incident_id)
    trigger = incident.trigger
    what = _line(incident.what)
    where = url(trigger) if trigger else settings.PORTAL_URL + reverse("pipelines:incident_list")
    text = f"{what}\n\nLook into it, and close it with a comment:\n{where}\n"
    told = addresses.owners(trigger.entity if trigger else None)
    slack = Message("", f"Incident: {what}\n{where}")
    return [*(Message(f"Incident: {what}", text, to) for to in told), slack]


# --- The words -------------------------------------------------------------------------------
def sentence(trigger: Trigger) -> str:
    """Who asks for what, on one line."""
    return f"{_line(trigger.asked_by)} asks to {_what(trigger)}"


def _what(trigger: Trigger) -> str:
    """For example "start deploy of shop in Production"."""
    about = f"{trigger.get_action_display()} {trigger.pipeline.name}"
    of = f" of {trigger.entity}" if trigger.entity else ""
    where = f" in {trigger.environment}" if trigger.environment else ""
    return _line(f"{about}{of}{where}")


def url(trigger: Trigger) -> str:
    path = reverse("pipelines:trigger_detail", args=[trigger.request_id])
    return f"{settings.PORTAL_URL}{path}"


def _line(text: str) -> str:
    """Other people's words on one line."""
    words = " ".join(text.split())
    return words if len(words) <= 200 else f"{words[:200]}…"
