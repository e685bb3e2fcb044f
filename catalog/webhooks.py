"""Webhooks of the hosts that sources read: whom to believe, and what to read again because of them.

A delivery is a hint. It lies, repeats, comes late or not at all, so nothing of its content becomes
state: it only says what to ask the host about now. The schedule finds whatever no delivery told.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from catalog import repositories
from catalog.hook_events import Hint, HookUnread, hint_of
from catalog.models import Repository, Source, SyncRun
from portal import inbox
from portal.credential_ages import references
from portal.credentials import CredentialError, resolve
from portal.models import Delivery

ROOM = "catalog"
# The receiver of what came to an address that no source has.
NOBODY = f"{ROOM}:-"
SLUG = re.compile(r"[-a-zA-Z0-9_]{1,50}")
# The whole of a source is read because of deliveries at most this often.
WHOLE_EVERY = timedelta(minutes=1)
# GitHub's second header is the older SHA-1 one, which is not looked at.
SIGNATURES = ("x-hub-signature-256", "x-hub-signature")
IDS = ("x-github-delivery", "x-request-uuid", "x-request-id")
NO_SECRET = "No webhook secret is set for this source."  # noqa: S105
REPOSITORY_KINDS = {Source.Kind.GITHUB, Source.Kind.BITBUCKET, Source.Kind.BITBUCKET_DC}


class HookRefused(Exception):
    """A delivery is not believed; the text says why, for administrators only."""


def address(source: Source) -> str:
    """What an administrator gives to the host."""
    return f"{settings.PORTAL_URL}/hooks/{ROOM}/{source.slug}/"


def receiver(source: Source) -> str:
    """The source's name in the inbox."""
    return f"{ROOM}:{source.slug}"


# --- Receiving: no request goes out ----------------------------------------------------------
def receive(
    slug: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> tuple[Delivery, bool]:
    """Keeps a delivery that is believed; False when the same was here before.

    Raises HookRefused, after the reason was noted for administrators.
    """
    source = find(slug)
    try:
        if source is None:
            raise HookRefused("No source that is switched on has this address.")
        _verify(source, headers, body)
    except HookRefused as refusal:
        refuse(source, str(refusal), len(body), now)
        raise
    delivery_id = next((headers[name] for name in IDS if headers.get(name)), "")
    return inbox.keep(receiver(source), delivery_id, headers, body, now)


def find(slug: str) -> Source | None:
    """The source that a delivery to this address is for; one that is switched off has none."""
    if not SLUG.fullmatch(slug):
        return None
    return Source.objects.filter(slug=slug, enabled=True).first()


def refuse(source: Source | None, reason: str, size: int, now: datetime) -> None:
    """Notes a refusal; those to no source's address are noted too, so that both cost the same."""
    inbox.refuse(receiver(source) if source else NOBODY, reason, size, now)


def _verify(source: Source, headers: Mapping[str, str], body: bytes) -> None:
    given = next((headers[name] for name in SIGNATURES if headers.get(name)), "")
    secrets = _secrets(source)
    if not given:
        raise HookRefused("It carries no signature. Does the host know the secret?")
    wanted = ["sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest() for key in secrets]
    # All are compared, in constant time: nothing is told about either of two secrets.
    right = [hmac.compare_digest(one.encode(), given.strip().encode()) for one in wanted]
    if not any(right):
        raise HookRefused("Its signature does not fit the secret.")


def _secrets(source: Source) -> list[bytes]:
    """While one secret replaces another, either will do."""
    known = references(source.webhook_secret_ref)
    if not known:
        raise HookRefused(NO_SECRET)
    found, failed = [], ""
    for reference in known:
        try:
            found.append(resolve(reference).reveal().encode())
        except CredentialError as error:
            failed = str(error)
    if not found:
        raise HookRefused(failed)
    return found


# --- Reading: what the hint asks for ---------------------------------------------------------
def process(delivery_id: int, now: datetime) -> bool:
    """Reads a kept delivery and marks what is due; whether there is something to read now.

    May be repeated: the delivery counts as read only once all is marked, so a worker that dies on
    the way loses nothing.
    """
    delivery = inbox.waiting(delivery_id)
    if delivery is None:
        return False
    source = find(delivery.receiver.removeprefix(f"{ROOM}:"))
    if source is None:
        return _ignore(delivery, "Its source is switched off or gone.", now)
    try:
        hint = hint_of(delivery.headers, bytes(delivery.body))
    except HookUnread as why:
        return _ignore(delivery, str(why), now)
    if not (hint.changed or hint.pull_requests or hint.listing):
        return _ignore(delivery, hint.reason, now, hint.event)
    return _follow(source, delivery, hint, now)


def _ignore(delivery: Delivery, reason: str, now: datetime, event: str = "") -> bool:
    inbox.finish(delivery.pk, Delivery.Status.IGNORED, event=event, reason=reason, now=now)
    return False


def _follow(source: Source, delivery: Delivery, hint: Hint, now: datetime) -> bool:
    """Flags the repository that the hint names; where it names none of ours, all are read."""
    hosts = source.kind in REPOSITORY_KINDS
    if not hosts and not (hint.changed or hint.listing):
        return _ignore(delivery, "This source has no pull requests.", now, hint.event)
    known = _repositories(source, hint) if hosts else []
    if hint.changed and known and not any(_concerned(source, hint, one) for one in known):
        return _ignore(delivery, "It is about a branch that is not read.", now, hint.event)
    repositories.flag(known, now)
    if (hint.listing or not known) and not _due(source, now):
        # Left waiting: the sweep comes back once the reading that is under way has ended.
        return False
    reason = "" if known or not hosts else "It names no repository that Stagedoor knows."
    inbox.finish(delivery.pk, Delivery.Status.DONE, event=hint.event, reason=reason, now=now)
    return True


def _concerned(source: Source, hint: Hint, repository: Repository) -> bool:
    return hint.concerns(source.options, repository.default_branch)


def _repositories(source: Source, hint: Hint) -> list[Repository]:
    """By the host's own id, else by name in any case: all that a wrong match costs is a reading."""
    mine = Repository.objects.filter(source=source, state=Repository.State.ACTIVE)
    by_id = list(mine.filter(external_id__in=hint.ids)[:5]) if hint.ids else []
    if by_id or not hint.full_name:
        return by_id
    return list(mine.filter(full_name__iexact=hint.full_name)[:5])


def _due(source: Source, now: datetime) -> bool:
    """Makes the whole source due; False while a reading runs, which may have passed the change."""
    if source.runs.filter(state=SyncRun.State.RUNNING, dry_run=False).exists():
        return False
    earliest = now
    if source.last_attempt_at is not None:
        earliest = max(now, source.last_attempt_at + WHOLE_EVERY)
    Source.objects.filter(Q(next_due_at__gt=earliest), pk=source.pk).update(next_due_at=earliest)
    return True
