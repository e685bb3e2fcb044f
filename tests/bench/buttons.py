"""`python -m tests.bench.buttons`: a service page with 200 pipelines, each with its Run button.

Asked for by somebody who may run them all, and by somebody who may run none and is told why, with
50 and with 500 role mappings in the database.
"""

import os
import sys
import tempfile
import time

FOLDER = tempfile.TemporaryDirectory(prefix="stagedoor-bench-")
os.environ.update(
    PYTHON_DOTENV_DISABLED="1",
    LOG_LEVEL="CRITICAL",
    STAGEDOOR_ENV="test",
    STAGEDOOR_DATA_DIR=FOLDER.name,
    DJANGO_SETTINGS_MODULE="portal.settings",
    DATABASE_URL=f"sqlite:///{FOLDER.name}/bench.sqlite3",
)

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402  Django has to be set up first
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from portal.models import Role, RoleMapping  # noqa: E402
from tests.pipelines.world import (  # noqa: E402
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

BUTTONS = 200
TIMES = 5
PAGE = "/catalog/default/component/pay/"


def main() -> int:
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    make_environments()
    service, server = make_service("pay"), make_server("jenkins", "jenkins")
    for number in range(BUTTONS):
        fresh = {"builds_read_at": timezone.now()}
        confirmed_link(service, make_pipeline(server, f"pay/{number}", **fresh))
    people = {"may run all": make_person("ana", "deployer"), "may run none": make_person("ben")}
    print(f"{f'{BUTTONS} buttons, of somebody who':34}{'a page':>12}{'queries':>10}")
    for mappings in (50, 500):
        fill(mappings)
        for label, person in people.items():
            client = Client(SERVER_NAME="127.0.0.1")
            client.force_login(person)
            client.get(PAGE)
            tell(f"{label}, {mappings} mappings", client)
    return 0


def fill(mappings: int) -> None:
    role = Role.objects.get(slug="deployer")
    known = RoleMapping.objects.count()
    RoleMapping.objects.bulk_create(
        RoleMapping(
            group=f"idp:{number}",
            role=role,
            scope_kind="team",
            scope_ref=f"group:default/{number}",
        )
        for number in range(known, mappings)
    )


def tell(label: str, client: Client) -> None:
    taken = []
    for _ in range(TIMES):
        begun = time.process_time()
        with CaptureQueriesContext(connection) as captured:
            page = client.get(PAGE)
        taken.append(time.process_time() - begun)
        assert page.content.count(b"Run pay/") >= BUTTONS
    print(f"{label:34}{1000 * min(taken):>9.0f} ms{len(captured):>10}")


if __name__ == "__main__":
    sys.exit(main())
