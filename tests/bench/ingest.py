"""Reads one catalog into an empty portal and says, as JSON, how long that took.

Run by tests/bench/__main__.py in a process of its own, so that memory is this reading's.
"""

import json
import resource
import sys
import time
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402  Django has to be set up first
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from catalog import runs, sync  # noqa: E402
from catalog.models import Entity, Service, Source, SyncRun  # noqa: E402

# A session of this backend is not renewed at an identity provider, which is not there.
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def read(source: Source) -> float:
    """Seconds that one reading takes."""
    run = runs.request(source, SyncRun.Cause.COMMAND)
    began = time.perf_counter()
    finished = sync.run(run.pk)
    seconds = time.perf_counter() - began
    if finished is None or finished.state != SyncRun.State.SUCCEEDED:
        raise SystemExit(f"The reading failed: {finished and finished.message}")
    return seconds


def queries(client: Client, path: str) -> int:
    """How many queries a page takes, the session's own included."""
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    if answer.status_code != 200:
        raise SystemExit(f"{path} answers {answer.status_code}")
    return len(captured)


def main(root: Path) -> None:
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    source = Source.objects.create(
        slug="bench", name="Bench", kind=Source.Kind.PATH, target=str(root), interval_seconds=86400
    )
    first, second = read(source), read(source)
    client = Client(SERVER_NAME=settings.ALLOWED_HOSTS[0])
    client.force_login(User.objects.create(username="bench"), backend=BACKEND)
    middle = Service.objects.order_by("name")[Service.objects.count() // 2]
    pages = {"catalog": "/catalog/", "service": f"/catalog/default/component/{middle.name}/"}
    measured = {
        "entities": Entity.objects.count(),
        "first": first,
        "second": second,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "pages": pages,
        "queries": {name: queries(client, path) for name, path in pages.items()},
        "cookie": f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}",
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
