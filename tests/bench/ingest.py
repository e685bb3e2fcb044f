"""Has a running portal's worker read one catalog, and says as JSON how long that took.

Run by tests/bench/catalog.py beside the portal, on its database.
"""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402  Django has to be set up first
from django.db import connection  # noqa: E402
from django.test import Client, RequestFactory  # noqa: E402
from django.utils import timezone  # noqa: E402

from catalog import runs, tasks  # noqa: E402
from catalog.models import Entity, Service, Source, SyncRun  # noqa: E402
from portal.api_tokens import create  # noqa: E402

# A session of this backend is not renewed at an identity provider, which is not there.
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
# Different addresses to ask for, at most.
MANY = 400
CHANGED = "Changed while people looked"


def read(source: Source) -> float:
    """Seconds from asking the worker until everything can be queried."""
    began = time.perf_counter()
    run = runs.request(source, SyncRun.Cause.COMMAND)
    tasks.sync_source.delay(run.pk)
    while run.state in runs.OPEN:
        time.sleep(0.05)
        run.refresh_from_db()
    if run.state != SyncRun.State.SUCCEEDED:
        raise SystemExit(f"The reading failed: {run.message}")
    return time.perf_counter() - began


def change_one(root: Path) -> None:
    """Another description for the first component of a file in the middle."""
    files = sorted(root.parent.glob("catalog-*.yaml"))
    file = files[len(files) // 2]
    text = file.read_text()
    line = next(line for line in text.splitlines() if line.startswith("  description:"))
    file.write_text(text.replace(line, f"  description: {CHANGED}", 1))


def database_megabytes() -> float:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
            cursor.execute("SELECT pg_database_size(current_database())")
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return cursor.fetchone()[0] / 1_048_576


def new_token(user: User) -> str:
    request = RequestFactory().post("/")
    request.user = user
    expires = timezone.now() + timedelta(days=1)
    return create(user, "bench", ["catalog.view"], expires, request)[1]


def main(root: Path) -> None:
    source = Source.objects.create(
        slug="bench",
        name="Bench",
        kind=Source.Kind.PATH,
        target=str(root),
        interval_seconds=86_400,
        next_due_at=timezone.now() + timedelta(days=1),
    )
    first, second = read(source), read(source)
    change_one(root)
    third = read(source)
    if not Entity.objects.filter(description=CHANGED).exists():
        raise SystemExit("The changed file was not read.")
    user = User.objects.create(username="bench")
    client = Client()
    client.force_login(user, backend=BACKEND)
    components = Service.objects.order_by("name")
    count = components.count()
    measured = {
        "entities": Entity.objects.count(),
        "components": count,
        "first": first,
        "second": second,
        "third": third,
        "database": database_megabytes(),
        "names": list(components.values_list("name", flat=True))[:: max(count // MANY, 1)],
        "owners": sorted({c.spec["owner"] for c in components[: MANY * 25 : 25]}),
        "session": client.session.session_key,
        "token": new_token(user),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
