"""Once a day each team hears what is wrong with its descriptors; nothing when nothing is wrong.

A row of Digest is the job: made once a day, claimed by one worker, and recorded as sent. A worker
that dies while sending may have sent it, so that row is not tried again; the next day is.
Addresses come only from groups of sources that an administrator trusts: anyone who can edit some
descriptor could otherwise have us write to anybody.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone

from catalog.models import Digest, Entity, SyncIssue, Team
from catalog.problems import MAX_ENTITIES, Troubled, problems_of, troubled
from catalog.seen import EVERYTHING
from portal import notify
from portal.templatetags.ui import entity_url

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 4
PAUSE = timedelta(minutes=15)  # before the second attempt; doubled each time
KEEP = timedelta(days=30)
MAX_LINE = 300
_State = Digest.State


def offer(now: datetime) -> list[int]:
    """The digests to send now; makes the day's at its hour. Nothing where mail is switched off."""
    hour = settings.CATALOG_DIGEST_HOUR
    local = timezone.localtime(now)
    if hour is None or not notify.is_on() or local.hour < hour:
        return []
    day = local.date()
    if not Digest.objects.filter(day=day, team_ref="").exists():
        _plan(day, now)
    due = Digest.objects.filter(day=day, state=_State.WAITING, not_before__lte=now)
    return list(due.exclude(team_ref="").values_list("pk", flat=True))


def _plan(day: date, now: datetime) -> None:
    """One row a team; several workers at once make the same ones."""
    named = SyncIssue.objects.exclude(entity_ref="").values("entity_ref")
    wrong = Entity.objects.filter(ref__in=named).values_list("ref", "owner_ref")
    refs = {ref for pair in wrong for ref in pair if ref.startswith("group:")}
    teams = [team.ref for team in _teams().filter(ref__in=refs) if address_of(team)]
    rows = [Digest(day=day, team_ref=ref, not_before=now) for ref in sorted(teams)]
    rows.append(Digest(day=day, state=_State.SENT, not_before=now, finished_at=now))
    Digest.objects.bulk_create(rows, ignore_conflicts=True)
    Digest.objects.filter(day__lt=day - KEEP).delete()


def _teams() -> QuerySet[Team]:
    return Team.objects.filter(state=Entity.State.ACTIVE, source__trusted_for_org=True)


def address_of(team: Entity) -> str:
    """The profile's e-mail address, if mail can be sent to it."""
    profile = team.spec.get("profile")
    return notify.usable(profile.get("email")) if isinstance(profile, dict) else ""


def send(digest_id: int, now: datetime) -> None:
    """Sends one digest, unless another worker has it or nothing is wrong any more."""
    mine = Digest.objects.filter(pk=digest_id, state=_State.WAITING, not_before__lte=now)
    if not mine.update(state=_State.SENDING, attempts=F("attempts") + 1):
        return
    digest = Digest.objects.get(pk=digest_id)
    # Read again: trust, the address and the problems may have changed since the row was made.
    team = _teams().filter(ref=digest.team_ref).first()
    address = address_of(team) if team else ""
    found = problems_of([digest.team_ref], EVERYTHING)
    if team is None or not address or not found:
        _finish(digest, _State.NEEDLESS, now)
        return
    count = troubled([digest.team_ref], EVERYTHING).count()
    try:
        notify.send_mail(address, _subject(team, count), _text(team, found, count))
    except notify.NotSent as error:
        _fail(digest, error, now)
        return
    _finish(digest, _State.SENT, now)


def _finish(digest: Digest, state: str, now: datetime, reason: str = "") -> None:
    digest.state, digest.finished_at, digest.reason = state, now, reason[:300]
    digest.save()


def _fail(digest: Digest, error: notify.NotSent, now: datetime) -> None:
    logger.warning("digest for %s not sent: %s", digest.team_ref, error)
    if error.final or digest.attempts >= MAX_ATTEMPTS:
        _finish(digest, _State.FAILED, now, str(error))
        return
    digest.state, digest.reason = _State.WAITING, str(error)[:300]
    digest.not_before = now + PAUSE * 2 ** (digest.attempts - 1)
    digest.save()


# --- The words -------------------------------------------------------------------------------
def _subject(team: Entity, count: int) -> str:
    things = "descriptor has" if count == 1 else "descriptors have"
    return f"{count} {things} problems: {team}"


def _text(team: Entity, found: Sequence[Troubled], count: int) -> str:
    parts = [
        f"Stagedoor found problems in descriptors that belong to {_line(str(team))}.\n"
        "What is not valid is shown as it last was; where two describe one name, one of them is."
    ]
    parts += [_entry(row) for row in found]
    if count > MAX_ENTITIES:
        parts.append(f"And {count - MAX_ENTITIES} more.")
    parts.append(
        f"All of them: {_url(team.ref)}\n"
        "You get this because the catalog names this address as the team's. It is sent once a day "
        "while something is wrong."
    )
    return "\n\n".join(parts) + "\n"


def _entry(row: Troubled) -> str:
    lines = [f"{row.entity.kind} {_line(str(row.entity))}", _url(row.entity.ref)]
    for issue in row.shown:
        place = f"{issue.location}:{issue.line}" if issue.line else issue.location
        lines.append(f"- {_line(issue.message)} ({_line(str(issue.source))}: {_line(place)})")
    if row.hidden:
        lines.append(f"- and {row.hidden} more")
    return "\n".join(lines)


def _line(text: str) -> str:
    """Other people's words on one line."""
    words = " ".join(text.split())
    return words if len(words) <= MAX_LINE else f"{words[:MAX_LINE]}…"


def _url(ref: str) -> str:
    return f"{settings.PORTAL_URL}{entity_url(ref)}"
