"""A configured server becomes a client that talks to it; what talking to it taught is kept here.

Credentials are resolved at the moment of use and never kept. Every failure leaves as a
`ProviderError`, so that callers know one family of errors only.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from pipelines.bounds import text, usable_id, web_url
from pipelines.models import Pipeline, Server
from pipelines.providers import PROVIDERS
from pipelines.providers.base import RemoteParameter, RemotePipeline, ServerConfig
from pipelines.providers.errors import (
    InvalidResponse,
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


def refresh_pipelines(server: Server) -> int:
    """Reads the list of pipelines and keeps it; returns how many there are.

    A pipeline that is no longer listed is marked with the time, never deleted: builds and
    triggers belong to it. A list that failed changes nothing and raises its ProviderError. So
    does an empty list where there were pipelines: a token that lost its rights looks like that.
    """
    asked_at = timezone.now()
    remote = client_for(server).list_pipelines()
    known = Pipeline.objects.filter(server=server, gone_at=None)
    if not remote and known.exists():
        raise InvalidResponse(
            f"{server.name} lists no pipelines at all, though {known.count()} are known. Nothing "
            "was changed. Check the rights of its credential; if it really is empty, disable it."
        )
    with transaction.atomic():
        _store(server, remote, asked_at)
    return len(remote)


def _store(server: Server, remote: Sequence[RemotePipeline], at: datetime) -> None:
    # By id: a server that lists one pipeline twice must not break the upsert. An id that is
    # longer than ours can be is left out: cut, it would name something else.
    rows = {
        pipeline.external_id: Pipeline(
            server=server,
            external_id=pipeline.external_id,
            name=text(pipeline.name or pipeline.external_id, 300),
            web_url=web_url(pipeline.web_url),
            repository=text(pipeline.repository, 500),
            default_branch=text(pipeline.default_branch, 255),
            parameters=[_parameter(parameter) for parameter in pipeline.parameters or ()],
            runnable=pipeline.runnable,
            listed_at=at,
            gone_at=None,
        )
        for pipeline in remote
        if usable_id(pipeline.external_id, 500)
    }
    Pipeline.objects.bulk_create(
        rows.values(),
        batch_size=500,
        update_conflicts=True,
        unique_fields=["server", "external_id"],
        update_fields=[
            "name",
            "web_url",
            "repository",
            "default_branch",
            "parameters",
            "runnable",
            "listed_at",
            "gone_at",
        ],
    )
    Pipeline.objects.filter(server=server, gone_at=None, listed_at__lt=at).update(gone_at=at)
    Pipeline.objects.filter(server=server, gone_at=None, listed_at=None).update(gone_at=at)


def _parameter(parameter: RemoteParameter) -> dict[str, object]:
    return {
        "name": text(parameter.name, 200),
        "type": parameter.type,
        "default": text(parameter.default),
        "choices": [text(choice) for choice in parameter.choices],
        "description": text(parameter.description, 1000),
    }


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
