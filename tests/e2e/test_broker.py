"""The same portal on PostgreSQL and a Redis-protocol broker: nothing else changes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import SPEED
from tests.e2e.people import Visit, open_service, run_build
from tests.e2e.stack import Stack
from tests.e2e.test_schedule import health

pytestmark = [pytest.mark.e2e, pytest.mark.broker]


@pytest.fixture
def stack_on_servers(tmp_path: Path) -> Iterator[Stack]:
    """DATABASE_URL and CELERY_BROKER_URL are those that `make test` started servers for."""
    assert os.environ["DATABASE_URL"].startswith("postgresql:")
    with Stack(tmp_path, SANDBOX_SPEED=SPEED) as running:
        yield running


def test_a_build_is_run_through_postgresql_and_redis(stack_on_servers: Stack, visit: Visit) -> None:
    stack = stack_on_servers
    ana = visit(stack, "ana")
    open_service(ana)
    run_build(ana, "payments-api")
    expect(ana.get_by_text("Ana Duarte, for Payments")).to_be_visible()
    assert health(stack)["ok"]
    # The default would have written its files here.
    assert not (stack.folder / "var" / "broker").exists()
    assert not (stack.folder / "var" / "db.sqlite3").exists()
