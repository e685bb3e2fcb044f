"""A configured server becomes a client that talks to it; what talking to it taught is kept here.

Credentials are resolved at the moment of use and never kept. Every failure leaves as a
`ProviderError`, so that callers know one family of errors only.

After some failures in a row a circuit opens: nothing is asked until the pause is over, then one
request is let through. Its answer closes the circuit or makes the pause longer.
"""

import random
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from pipelines import budget
from pipelines.budget import Meter, Purpose
from pipelines.models import Server
from pipelines.providers import PROVIDERS
from pipelines.providers.base import ServerConfig
from pipelines.providers.errors import (
    BudgetSpent,
    Forbidden,
    InvalidResponse,
    Misconfigured,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Rejected,
    Unavailable,
    Unsupported,
)
from pipelines.providers.provider import Provider
from portal.credentials import CredentialError, resolve
from portal.http import HttpClient

FIRST_PAUSE = 5  # seconds that reads wait after a first failure; doubled at each further one
LONGEST_PAUSE = 300
OPEN_AFTER = 3  # failures in a row
# A probe whose worker died holds the next one up for this long.
PROBE_LEASE = timedelta(seconds=90)
# Whoever answers like this was reached, whatever they answered.
ANSWERED = (NotAuthorized, Forbidden, NotFound, Rejected)
# These say something of one request and not of the server.
ONE_ONLY = (Forbidden, InvalidResponse, NotFound, OutcomeUnknown, Rejected, Unsupported)


class CircuitOpen(Unavailable):
    """Not asked at all, because the server has not answered for a while."""


def adapter_of(server: Server) -> type[Provider] | None:
    """The provider of this server, None when it is not known (any more)."""
    return PROVIDERS.get(server.provider)


def client_for(
    server: Server,
    purpose: Purpose = Purpose.WATCH,
    sent: list[datetime] | None = None,
    until: datetime | None = None,
) -> Provider:
    """The adapter of this server with its credential. Raises Misconfigured; sends nothing.

    What it sends later is counted as `purpose` (see budget.py), and its times go to `sent`. Writes
    go out `until` then, when others may have taken the work over.
    """
    adapter = adapter_of(server)
    if adapter is None:
        raise Misconfigured(
            f"{server.name}: the provider {server.provider!r} is not known. "
            f"Known are: {', '.join(sorted(PROVIDERS))}."
        )
    try:
        credential = resolve(server.credential_ref)
    except CredentialError as error:
        raise Misconfigured(f"{server.name}: {error}") from None
    config = ServerConfig(
        slug=server.slug,
        base_url=server.base_url.rstrip("/"),
        options=server.options if isinstance(server.options, dict) else {},
    )
    http = _http(tuple(settings.OUTGOING_ALLOW), settings.OUTGOING_CA_BUNDLE)
    meter = Meter(http, server, adapter, purpose, [] if sent is None else sent, until=until)
    return adapter(config, meter, credential)


@lru_cache(maxsize=4)
def _http(allow: tuple[str, ...], ca_bundle: str) -> HttpClient:
    """One client a process, so that connections are kept; by its bounds, which tests change."""
    return HttpClient(allow=allow, ca_bundle=ca_bundle)


# --- The circuit -------------------------------------------------------------------------------
def is_open(server: Server) -> bool:
    """Whether the server is known not to answer. A server that refuses us does answer."""
    return server.failures >= OPEN_AFTER and server.unreachable_since is not None


def admit(server: Server) -> None:
    """Raises CircuitOpen for a server that is known not to answer, and Unavailable for one that is
    switched off here, so that its credential goes nowhere; costs no query.

    For pages and for what people asked to be done: neither waits for a time-out, and neither is
    the one that tries whether the server is back.
    """
    if not server.enabled:
        raise Unavailable(f"{server.name} is switched off in Stagedoor.")
    if is_open(server):
        raise CircuitOpen(f"{server.name}: {unreachable(server)} It is tried again by itself.")


def unreachable(server: Server) -> str:
    """Since when, as a sentence; empty while it answers."""
    since = server.unreachable_since
    if since is None:
        return ""
    today = since.date() == timezone.now().date()
    return f"Unreachable since {since:{'%H:%M' if today else '%d %B, %H:%M'}} UTC."


def pause_over(now: datetime) -> Q:
    """Of servers, and of pipelines: those that may be asked again."""
    return Q(not_before=None) | Q(not_before__lte=now)


def may_ask(server: Server, now: datetime) -> bool:
    """Whether a worker may ask; of an open circuit only one may, when its pause is over."""
    if server.failures < OPEN_AFTER or probes(server, now):
        return True
    return Server.objects.filter(pk=server.pk, failures__lt=OPEN_AFTER).exists()


def probes(server: Server, now: datetime) -> bool:
    """Takes the one question whether a server that failed is back, once its pause is over."""
    failed = Server.objects.filter(pause_over(now), pk=server.pk, failures__gt=0)
    return bool(failed.update(not_before=now + PROBE_LEASE))


def note_success(server: Server) -> None:
    """The server answered; writes only when that is news, for every read comes here."""
    Server.objects.filter(pk=server.pk).exclude(failures=0, last_error="").update(
        failures=0, last_error="", unreachable_since=None, not_before=None
    )


def note_answer(server: Server, error: ProviderError) -> None:
    """After a failure that may concern one pipeline only: that closes a circuit, too."""
    if isinstance(error, ANSWERED) and isinstance(error, ONE_ONLY):
        note_success(server)
    elif not isinstance(error, ONE_ONLY):
        note_failure(server, error)


def note_failure(server: Server, error: ProviderError) -> None:
    """Keeps what went wrong and lets reads wait: longer each time, or as long as was asked for.

    Only Unavailable makes the server unreachable; one that answers "no" was reached. Raced
    updates only make the pause one step shorter or longer.
    """
    if isinstance(error, BudgetSpent | CircuitOpen):
        return
    now = timezone.now()
    row = Server.objects.filter(pk=server.pk)
    pause = pause_after(row.values_list("failures", flat=True).first() or 0)
    values: dict[str, Any] = {"failures": F("failures") + 1}
    if isinstance(error, RateLimited):
        if error.retry_after is not None:
            pause = min(max(error.retry_after, 1), LONGEST_PAUSE)
        budget.exhaust(server, now + timedelta(seconds=pause))
    else:
        values["last_error"] = str(error)
    if isinstance(error, Unavailable):
        values["unreachable_since"] = Coalesce(F("unreachable_since"), now)
    elif isinstance(error, ANSWERED):
        values["unreachable_since"] = None
    row.update(not_before=now + timedelta(seconds=pause), **values)


def pause_after(failures: int) -> float:
    """Seconds to wait after so many earlier failures, spread a little so that all don't return
    at once."""
    spread = random.uniform(0.8, 1.2)  # noqa: S311  nothing secret hangs on it
    return min(FIRST_PAUSE * 2 ** min(failures, 10) * spread, LONGEST_PAUSE)
