"""Webhooks of CI servers: whom to believe, and what to read again because of them.

A delivery is a hint. It lies, repeats, comes late or not at all, so nothing of its content becomes
state: it only says which pipelines to ask the vendor about now, and which list has changed.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from pipelines import builds
from pipelines.bounds import usable_id
from pipelines.models import Pipeline, Server
from pipelines.polling import linked
from pipelines.providers.base import Capability, Hint, Hook, HookKeys
from pipelines.providers.errors import HookRefused, ProviderError
from pipelines.providers.provider import Provider
from pipelines.servers import adapter_of
from portal import crashpoints, inbox
from portal.credential_ages import references
from portal.credentials import CredentialError, Secret, resolve
from portal.models import Delivery

logger = logging.getLogger(__name__)

ROOM = "pipelines"
# The receiver of what came to an address that no server has.
NOBODY = f"{ROOM}:-"
SLUG = re.compile(r"[-a-zA-Z0-9_]{1,50}")
# What one delivery may ask for.
MAX_HINTS = 20
MAX_CANDIDATES = 10
# The vendor's public key is asked for anew at most this often, whoever sends what.
KEY_EVERY = timedelta(minutes=10)
# So is the list of pipelines: when a delivery says that it has changed, when it names none of them.
LIST_CHANGED_EVERY = timedelta(minutes=1)
UNKNOWN_EVERY = timedelta(minutes=5)
# Events about the list of repositories, in the words that vendors use; Drone says "repo" alone.
LIST_CHANGED = re.compile(
    r"repo$|(repo|pipeline|project)[\w-]*[:. ]"
    r"(creat|renam|updat|transfer|import|enabl|disabl|activat|delet|archiv)"
)
# A reading that is put off for longer is left to the tick.
SOON = timedelta(seconds=20)
NO_SECRET = "No webhook secret is set for this server."  # noqa: S105


def address(server: Server) -> str:
    """What an administrator gives to the vendor."""
    return f"{settings.PORTAL_URL}/hooks/{server.slug}/"


def vendor(server: Server) -> str:
    """Who sends them, in a sentence."""
    adapter = adapter_of(server)
    return adapter.label if adapter else server.name


def sends(server: Server) -> bool:
    """Whether its provider has webhooks at all."""
    adapter = adapter_of(server)
    return adapter is not None and Capability.WEBHOOK in adapter.capabilities


def receiver(server: Server) -> str:
    """The server's name in the inbox."""
    return f"{ROOM}:{server.slug}"


# --- Receiving: no request goes out ----------------------------------------------------------
def receive(slug: str, hook: Hook, now: datetime) -> tuple[Delivery, bool]:
    """Keeps a delivery that is believed; False when the same was here before.

    Raises HookRefused, after the reason was noted for administrators.
    """
    server = find(slug)
    try:
        if server is None:
            raise HookRefused("No server that is switched on has this address.")
        delivery_id = _verified(server, hook, now)
    except HookRefused as refusal:
        refuse(server, str(refusal), len(hook.body), now)
        if server is not None and refusal.stale_key:
            _ask_for_key(server, now)
        raise
    return inbox.keep(receiver(server), delivery_id, hook.headers, hook.body, now)


def find(slug: str) -> Server | None:
    """The server that a delivery to this address is for; one that is switched off has none."""
    if not SLUG.fullmatch(slug):
        return None
    return Server.objects.filter(slug=slug, enabled=True).first()


def refuse(server: Server | None, reason: str, size: int, now: datetime) -> None:
    """Notes a refusal; those to no server's address are noted too, so that both cost the same."""
    inbox.refuse(receiver(server) if server else NOBODY, reason, size, now)


def _verified(server: Server, hook: Hook, now: datetime) -> str:
    """The delivery's id, by the adapter's word; raises HookRefused."""
    adapter = _adapter(server)
    keys = _keys(server)
    try:
        delivery_id = adapter.verify_webhook(hook, keys, now)
    except ProviderError as error:  # Unsupported
        raise HookRefused(str(error)) from None
    except HookRefused:
        raise
    except Exception as error:
        # Not logged with its text, which may quote what was sent.
        logger.error("%s: a webhook could not be checked: %s", server.slug, type(error).__name__)
        raise HookRefused("Stagedoor failed to check it.") from None
    if not keys.secrets and not keys.public_keys:
        # Whatever an adapter says: with nothing to check against, nothing was checked.
        raise HookRefused(NO_SECRET)
    return delivery_id


def _adapter(server: Server) -> type[Provider]:
    adapter = adapter_of(server)
    if adapter is None:
        raise HookRefused("The provider of this server is not known.")
    return adapter


def _keys(server: Server) -> HookKeys:
    """What deliveries are checked with: while one secret replaces another, either will do."""
    secrets: list[Secret] = []
    failed = ""
    for reference in references(server.webhook_secret_ref):
        try:
            secrets.append(resolve(reference))
        except CredentialError as error:
            failed = str(error)
    if failed and not secrets:
        raise HookRefused(failed)
    public = server.hook_keys if isinstance(server.hook_keys, list) else []
    return HookKeys(tuple(secrets), tuple(key for key in public if isinstance(key, str)))


def _ask_for_key(server: Server, now: datetime) -> None:
    """Lets the next scheduled check read the vendor's key again."""
    unasked = Q(checked_at=None) | Q(checked_at__lte=now - KEY_EVERY)
    rows = Server.objects.filter(unasked, pk=server.pk, check_due_at__gt=now)
    rows.update(check_due_at=now)


# --- Reading: what the hint asks for ---------------------------------------------------------
def process(delivery_id: int, now: datetime) -> dict[int, float]:
    """Reads a kept delivery and marks what is due: {pipeline id: seconds until it may be read}.

    May be repeated: the delivery counts as read only once all is marked, so a worker that dies on
    the way loses nothing.
    """
    delivery = inbox.waiting(delivery_id)
    if delivery is None:
        return {}
    server = find(delivery.receiver.removeprefix(f"{ROOM}:"))
    if server is None:
        reason = "Its server is switched off or gone."
        inbox.finish(delivery.pk, Delivery.Status.IGNORED, reason=reason, now=now)
        return {}
    Server.objects.filter(pk=server.pk).update(hook_seen_at=now)
    try:
        hints = _hints(server, delivery)
    except HookRefused as refusal:
        inbox.finish(delivery.pk, Delivery.Status.IGNORED, reason=str(refusal), now=now)
        return {}
    return _follow(server, delivery, hints, now)


def _hints(server: Server, delivery: Delivery) -> Sequence[Hint]:
    hook = Hook(headers=delivery.headers, body=bytes(delivery.body))
    try:
        return list(_adapter(server).parse_webhook(hook))[:MAX_HINTS]
    except HookRefused:
        raise
    except Exception as error:
        logger.error("%s: a webhook could not be read: %s", server.slug, type(error).__name__)
        raise HookRefused("Stagedoor failed to read it.") from None


def _follow(
    server: Server, delivery: Delivery, hints: Sequence[Hint], now: datetime
) -> dict[int, float]:
    """Marks what the hints name as due, and the list of pipelines where it has changed."""
    if not hints:
        inbox.finish(delivery.pk, Delivery.Status.IGNORED, now=now)
        return {}
    found = [match(server, hint.pipelines) for hint in hints]
    unknown = any(hint.pipelines and not ids for hint, ids in zip(hints, found, strict=True))
    if any(LIST_CHANGED.match(hint.event) for hint in hints):
        _ask_for_list(server, now - LIST_CHANGED_EVERY, now)
    elif unknown:
        _ask_for_list(server, now - UNKNOWN_EVERY, now)
    meant = set().union(*found)
    due = builds.hint(meant, now)
    crashpoints.reached("after_hint", delivery.delivery_id)
    reason = "It names no pipeline that Stagedoor knows." if unknown else ""
    event = hints[0].event
    inbox.finish(delivery.pk, Delivery.Status.DONE, event=event, reason=reason, now=now)
    return {**_later(meant, now), **dict.fromkeys(due, 0.0)}


def _later(pipeline_ids: Iterable[int], now: datetime) -> dict[int, float]:
    """Those whose budget puts a reading off for a moment: sooner than the tick would see it."""
    soon = Pipeline.objects.filter(not_before__gt=now, not_before__lt=now + SOON)
    rows = soon.filter(linked(), pk__in=list(pipeline_ids))
    times = rows.values_list("pk", "not_before")
    return {pk: (not_before - now).total_seconds() for pk, not_before in times}


def match(server: Server, candidates: Iterable[str]) -> set[int]:
    """The pipelines of this server that the likeliest known candidate names.

    Exactly, else in any case: hosts of repositories write one name in several ways, and all that
    a wrong match costs is one reading.
    """
    names = [name for name in candidates if usable_id(name, 500)][:MAX_CANDIDATES]
    mine = Pipeline.objects.filter(server=server)
    exact = dict(mine.filter(external_id__in=names).values_list("external_id", "pk"))
    for name in names:
        if name in exact:
            return {exact[name]}
    for name in names:
        alike = set(mine.filter(external_id__iexact=name).values_list("pk", flat=True)[:5])
        if alike:
            return alike
    return set()


def _ask_for_list(server: Server, before: datetime, now: datetime) -> None:
    """Lets the next tick list the pipelines, unless that was done since `before`."""
    unread = Q(pipelines_read_at=None) | Q(pipelines_read_at__lte=before)
    rows = Server.objects.filter(unread, pk=server.pk, pipelines_due_at__gt=now)
    rows.update(pipelines_due_at=now)
