"""The whole of Stagedoor as `manage.py run` starts it, and browsers that sign in for real."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.people import Visit, sign_in
from tests.e2e.stack import Stack

# Builds take seconds instead of half a minute.
SPEED = "5"
SCIM_TOKEN = "a-token-of-the-directory-of-limelight"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One portal for all stories, on free ports and with data of its own."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, SANDBOX_SPEED=SPEED, SCIM_TOKEN=SCIM_TOKEN) as running:
        yield running


@pytest.fixture
def stack_without_beat(tmp_path: Path) -> Iterator[Stack]:
    """A portal whose beat the test starts, and kills, by itself."""
    with Stack(tmp_path, "--without", "beat") as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """visit(stack, "ana"): a page of a browser session of her own, signed in."""
    contexts = []

    def visit_as(stack: Stack, username: str, **options: Any) -> Page:
        context = browser.new_context(base_url=stack.url, **options)
        contexts.append(context)
        page = context.new_page()
        page.goto("/")
        sign_in(page, username)
        return page

    yield visit_as
    for context in contexts:
        context.close()
