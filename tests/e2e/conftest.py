"""The whole of Stagedoor as `manage.py run` starts it, for the browser tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.e2e.stack import Stack

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One portal for all stories, on free ports and with data of its own."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def stack_without_beat(tmp_path: Path) -> Iterator[Stack]:
    """A portal whose beat the test starts, and kills, by itself."""
    with Stack(tmp_path, "--without", "beat") as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens the portal as a person, in a browser session of their own, signed in for real."""
    contexts: list[BrowserContext] = []

    def open_as(stack: Stack, username: str, path: str = "/", **options: object) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.goto(stack.url + path)
        sign_in(page, username)
        return page

    yield open_as
    for context in contexts:
        context.close()


def sign_in(page: Page, username: str) -> None:
    """From the portal's sign-in page over the provider's and back."""
    page.get_by_role("button", name="Continue with").click()
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(f"{username}-at-limelight")
    page.get_by_role("button", name="Sign in").click()
