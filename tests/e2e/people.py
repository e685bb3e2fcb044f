"""What a person does with a browser in several of the stories."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

Visit = Callable[..., Page]
SERVICE = "/catalog/default/component/payments-api/"
# From a click on Run to the end of a build at the sandbox's speed, on a busy machine.
BUILD_MS = 60_000


def sign_in(page: Page, username: str) -> None:
    """From the portal's sign-in page over the provider's and back."""
    page.get_by_role("link", name="Continue with").click()
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(f"{username}-at-limelight")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in to Stagedoor")).to_have_count(0)


def run_link(page: Page, pipeline: str) -> Locator:
    """The way to run a pipeline, which only those who may run it get."""
    return page.get_by_role("link", name=f"Run {pipeline}", exact=True).first


def refused_button(page: Page, pipeline: str) -> Locator:
    """What the others get instead."""
    return page.get_by_role("button", name=f"Run {pipeline}", exact=True, disabled=True).first


def reason(page: Page, button: Locator) -> str:
    """The sentence that a disabled button refers to."""
    described_by = button.get_attribute("aria-describedby")
    assert described_by
    return page.locator(f"#{described_by}").first.inner_text()


def open_service(page: Page, path: str = SERVICE) -> None:
    """A service's page, once its pipelines have been found."""
    page.goto(path)
    # Right after the start, the worker is still reading the server's list.
    pipelines = page.locator(".pipeline")
    reload_until(page, lambda: pipelines.count() > 0)


def save_in_admin(page: Page, word: str = "Save") -> None:
    """Saves: where that changes policy, once to see what it would do, and once for good."""
    page.get_by_role("button", name=word, exact=True).click()
    step = page.get_by_role("heading", name="Before it is")
    expect(step.or_(page.get_by_text("successfully")).first).to_be_visible()
    if step.is_visible():
        page.get_by_role("button", name=word, exact=True).click()
    expect(page.get_by_text("successfully")).to_be_visible()


def reload_until(page: Page, seen: Callable[[], bool], seconds: int = 30) -> None:
    """As a person does whose browser runs no scripts. Raises AssertionError after so long."""
    for _ in range(seconds * 2):
        if seen():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError(f"still not seen:\n{page.locator('main').inner_text()}")


def run_build(page: Page, pipeline: str) -> str:
    """Runs a pipeline from its service's page to the end; returns the build's heading."""
    run_link(page, pipeline).click()
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    page.get_by_role("button", name=f"Run {pipeline}", exact=True).click()
    return watch_build(page, pipeline)


def watch_build(page: Page, pipeline: str) -> str:
    """Waits on the request's page for the build, and on the build's page for its end."""
    heading = page.get_by_role("heading", name=re.compile(rf"^{pipeline} #\d+$"))
    expect(heading).to_be_visible(timeout=BUILD_MS)
    expect(page.locator("#build .state--large")).to_contain_text("passed", timeout=BUILD_MS)
    return heading.inner_text()


def service(name: str) -> str:
    return f"/catalog/default/component/{name}/"


def waiting_build(page: Page) -> str:
    """A build that waits for a person, with the form that lets it go on."""
    page.goto("/builds/?state=waiting")
    waiting = page.locator("a.table__title")
    if waiting.count() == 0:
        open_service(page, service("checkout-web"))
        run_link(page, "Checkout").click()
        page.get_by_role("button", name="Run Checkout", exact=True).click()
        page.wait_for_url(re.compile(r"/(triggers|builds)/"))
        page.goto("/builds/?state=waiting")
        reload_until(page, lambda: waiting.count() > 0)
    return waiting.first.get_attribute("href") or ""
