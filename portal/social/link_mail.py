"""Tells a person by mail that an account was linked to theirs or unlinked, in case it was not them.

At the address that the company's provider names; without one, or without a mail server, the trail
alone tells.
"""

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from portal import notify, tasks
from portal.social.configuration import Door

LINKED = "linked to"
UNLINKED = "unlinked from"


def tell(request: HttpRequest, done: str, door: Door) -> None:
    """After the transaction, by a worker; `done` is LINKED or UNLINKED."""
    address = notify.usable(request.user.email) if notify.is_on() else ""
    if address:
        subject = f"An account of {door.label} was {done} your account"
        text = (
            f"{subject} at Stagedoor, {settings.PORTAL_URL}, at {timezone.now():%H:%M} UTC on "
            f"{timezone.now():%-d %B %Y}, from the address {request.META.get('REMOTE_ADDR')}.\n\n"
            "What you belong to there decides, among other things, what you may do.\n\n"
            "If that was not you: sign out elsewhere and see which accounts are linked, on\n"
            f"{settings.PORTAL_URL}/account/ and tell an administrator.\n"
        )
        tasks.mail.delay_on_commit(address, subject, text)
