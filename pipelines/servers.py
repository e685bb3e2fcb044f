"""A configured server becomes a client that talks to it; what talking to it taught is kept here.

Credentials are resolved at the moment of use and never kept. Every failure leaves as a
`ProviderError`, so that callers know one family of errors only.
"""

import random
from datetime import timedelta
from functools import lru_cache

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from pipelines.models import Server
from pipelines.providers import PROVIDERS
from pipelines.providers.base import ServerConfig
from pipelines.providers.errors import (
    Misconfigured,
    ProviderError,
    RateLimited,
    Unavailable,
)
from pipelines.providers.provider import Provider
from portal.credentials import CredentialError, resolve
from portal.http import HttpClient

FIRST_PAUSE = 5  # seconds that reads wait after a first failure; doubled at each further one
LONGEST_PAUSE = 300


def client_for(server: Server) -> Provider:
    """The adapter of this server with its credential. Raises Misconfigured; sends nothing."""
    adapter = PROVIDERS.get(server.provider)
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
    return adapter(
        config, _http(tuple(settings.OUTGOING_ALLOW), settings.OUTGOING_CA_BUNDLE), credential
    )


@lru_cache(maxsize=4)
def _http(allow: tuple[str, ...], ca_bundle: str) -> HttpClient:
    """One client a process, so that connections are kept; by its bounds, which tests change."""
    return HttpClient(allow=allow, ca_bundle=ca_bundle)


def note_success(server: Server) -> None:
    """The server answered; writes only when that is news, for every read comes here."""
    Server.objects.filter(pk=server.pk).exclude(failures=0, last_error="").update(
        failures=0, last_error="", unreachable_since=None, not_before=None
    )


def note_failure(server: Server, error: ProviderError) -> None:
    """Keeps what went wrong and lets reads wait: longer each time, or as long as was asked for.

    Only Unavailable makes the server unreachable; one that answers "no" was reached. Raced
    updates only make the pause one step shorter or longer.
    """
    now = timezone.now()
    if isinstance(error, RateLimited):
        pause = error.retry_after or FIRST_PAUSE
        Server.objects.filter(pk=server.pk).update(
            not_before=now + timedelta(seconds=min(pause, LONGEST_PAUSE))
        )
        return
    failures = Server.objects.filter(pk=server.pk).values_list("failures", flat=True).first() or 0
    values = {
        "failures": F("failures") + 1,
        "last_error": str(error),
        "not_before": now + timedelta(seconds=pause_after(failures)),
    }
    if isinstance(error, Unavailable):
        values["unreachable_since"] = Coalesce(F("unreachable_since"), now)
    Server.objects.filter(pk=server.pk).update(**values)


def pause_after(failures: int) -> float:
    """Seconds to wait after so many earlier failures, spread a little so that all don't return
    at once."""
    spread = random.uniform(0.8, 1.2)  # noqa: S311  nothing secret hangs on it
    return min(FIRST_PAUSE * 2 ** min(failures, 10), LONGEST_PAUSE) * spread
