"""`python -m tests.bench.signin`: how long a sign-in takes with few and with thousands of groups.

The portal runs in this process, its provider beside it over real HTTP (tests/portal/oidc). A round
trip is: to the provider and back with a code, the code for a token, the keys, userinfo, groups, the
new session, and the first page. On SQLite, or on the PostgreSQL that DATABASE_URL names.
"""

import argparse
import logging
import os
import statistics
import tempfile
import time

FOLDER = tempfile.TemporaryDirectory(prefix="stagedoor-bench-")
os.environ.update(
    PYTHON_DOTENV_DISABLED="1",
    LOG_LEVEL="CRITICAL",
    STAGEDOOR_ENV="test",
    STAGEDOOR_DATA_DIR=FOLDER.name,
    DJANGO_SETTINGS_MODULE="portal.settings",
    OUTGOING_ALLOW="127.0.0.1",
    OIDC_CLIENT_ID="portal-under-test",
    OIDC_CLIENT_SECRET="a-secret-of-the-portal-under-test",
)
if not os.environ.get("DATABASE_URL"):
    os.environ["DATABASE_URL"] = f"sqlite:///{FOLDER.name}/bench.sqlite3"

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402  Django has to be set up first
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from tests.portal.oidc.provider import Provider, running_provider, sign_in  # noqa: E402

COUNTS = (10, 500, 5000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.signin", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    setup_test_environment()
    logging.disable(logging.CRITICAL)
    client = Client()  # sets the middleware up once
    client.get("/signin/")
    print("| groups | first sign-in | the same groups again | first page after it |")
    print("|---|---|---|---|")
    with running_provider() as provider:
        settings.OIDC_OP_ISSUER = provider.issuer
        for count in COUNTS:
            print(row(client, provider, count, options.times), flush=True)


def row(client: Client, provider: Provider, count: int, times: int) -> str:
    """One line: the median of so many people, each of whom signs in twice."""
    provider.userinfo = {"groups": [f"group-{number:05}" for number in range(count)]}
    first, again, page = [], [], []
    for number in range(times):
        provider.subject = f"{count}-{number}"
        first.append(timed(client, provider))
        again.append(timed(client, provider))
        began = time.perf_counter()
        assert client.get("/account/").status_code == 200
        page.append(time.perf_counter() - began)
        client.cookies.clear()
    words = " | ".join(
        f"{statistics.median(values) * 1000:,.0f} ms" for values in (first, again, page)
    )
    return f"| {count:,} | {words} |"


def timed(client: Client, provider: Provider) -> float:
    client.cookies.clear()
    began = time.perf_counter()
    assert sign_in(client, provider)["Location"] == "/"
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
