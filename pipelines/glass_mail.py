"""Mail about broken glass: to the owners at once, and to those who may review it until they have.

Both are due by columns of the row, so that a lost message of the broker loses no mail. A worker
takes a mail by putting it off; what reached nobody is tried again then, what reached somebody is
done.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from pipelines.addresses import owners, reviewers
from pipelines.freezes import utc
from pipelines.models import BrokenGlass
from portal import notify
from portal.access import display_name

logger = logging.getLogger(__name__)

TRY_AGAIN = timedelta(minutes=5)


def due(now: datetime, limit: int) -> list[int]:
    """Broken glass about which somebody is to be written to; none where mail is off."""
    if not notify.is_on():
        return []
    rows = BrokenGlass.objects.filter(Q(tell_at__lte=now) | Q(remind_at__lte=now))
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


def send(glass_id: int, now: datetime) -> None:
    """Sends what is due of one; nothing when another worker does."""
    if not notify.is_on():
        return
    row = BrokenGlass.objects.filter(pk=glass_id)
    if row.filter(tell_at__lte=now).update(tell_at=now + TRY_AGAIN):
        glass = _load(glass_id)
        if _mail(owners(glass.entity), _told_subject(glass), _told(glass)):
            row.update(tell_at=None)
    if row.filter(remind_at__lte=now, reviewed_at=None).update(remind_at=now + TRY_AGAIN):
        glass = _load(glass_id)
        whom = dict.fromkeys([*owners(glass.entity), *reviewers(glass)])
        if _mail(whom, _reminder_subject(glass, now), _reminder(glass, now)):
            # Once before it locks the service, and once when it has.
            last = now >= glass.review_by
            row.filter(reviewed_at=None).update(remind_at=None if last else glass.review_by)


def _load(glass_id: int) -> BrokenGlass:
    return BrokenGlass.objects.select_related("entity", "environment__approver_role", "by").get(
        pk=glass_id
    )


def _mail(addresses: Iterable[str], subject: str, text: str) -> bool:
    """Whether it is done: somebody has it, or nobody ever can."""
    reached, later = 0, 0
    for address in addresses:
        try:
            notify.send_mail(address, subject, text)
            reached += 1
        except notify.NotSent as error:
            logger.warning("mail about broken glass not sent: %s", error)
            later += not error.final
    return bool(reached or not later)


# --- The words -------------------------------------------------------------------------------
def _told_subject(glass: BrokenGlass) -> str:
    return f"Glass broken: {_where(glass)}, by {display_name(glass.by)}"


def _told(glass: BrokenGlass) -> str:
    return (
        f"{display_name(glass.by)} has broken the glass for {_where(glass)}.\n"
        f"Until {utc(glass.ends_at)} no freeze and no approval stops what they run there.\n\n"
        f"{_why(glass)}\n\n"
        f"Somebody else has to say by {utc(glass.review_by)} whether it was justified:\n"
        f"{_url(glass)}\n\n"
        "You get this because the catalog names you as the owner.\n"
    )


def _reminder_subject(glass: BrokenGlass, now: datetime) -> str:
    if now >= glass.review_by:
        return f"Break-glass is locked for {glass.entity_ref}"
    return f"Please review: glass broken for {_where(glass)}"


def _reminder(glass: BrokenGlass, now: datetime) -> str:
    verb = "was" if now >= glass.review_by else "is"
    return (
        f"{display_name(glass.by)} broke the glass for {_where(glass)} on "
        f"{utc(glass.starts_at)}.\n"
        f"A second person's review {verb} due by {utc(glass.review_by)}. Without it nobody can "
        "break the glass for this service again.\n\n"
        f"{_why(glass)}\n\n"
        f"Review it: {_url(glass)}\n\n"
        "You get this because you own the service or may approve what runs there.\n"
    )


def _where(glass: BrokenGlass) -> str:
    return f"{glass.entity_ref} in {glass.environment}"


def _why(glass: BrokenGlass) -> str:
    return f"Reason: {glass.reason}\nIncident: {glass.incident_url}"


def _url(glass: BrokenGlass) -> str:
    return f"{settings.PORTAL_URL}{reverse('pipelines:glass_detail', args=[glass.pk])}"
