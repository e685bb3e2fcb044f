"""Every page in a browser: accessible in both colour schemes, whole on a phone, no script error."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.people import SERVICE, Visit, open_service, run_link
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}
PATHS = [
    "/",
    "/catalog/",
    "/catalog/?kind=any&q=payments",
    SERVICE,
    "/catalog/default/component/pricing/",
    "/catalog/default/api/payments-api/",
    "/catalog/default/group/payments/",
    "/catalog/default/component/payments-api/raw/",
    "/teams/",
    "/builds/",
    "/sources/",
    "/sources/limelight/",
    "/account/",
    "/nothing-is-here/",
]


def addresses(page: Page) -> list[str]:
    """PATHS, and those that depend on what there is: a run form and a build with its log."""
    open_service(page)
    run = run_link(page, "payments-api").get_attribute("href")
    page.goto("/builds/")
    build = page.get_by_role("link", name=re.compile(r"#\d+")).first.get_attribute("href")
    assert run
    assert build
    return [*PATHS, run, build]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_accessibility_fault(stack: Stack, visit: Visit, scheme: str) -> None:
    page = visit(stack, "ana", color_scheme=scheme, viewport=DESK)
    faults: dict[str, Any] = {}
    for address in addresses(page):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        for fault in Axe().run(page).response["violations"]:
            places = [" ".join(node["target"]) for node in fault["nodes"]]
            faults.setdefault(address, []).append((fault["id"], places[:3]))
    assert faults == {}


def test_pages_fit_a_phone(stack: Stack, visit: Visit) -> None:
    page = visit(stack, "ana", viewport=PHONE)
    wide = {}
    for address in addresses(page):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            wide[address] = width
    assert wide == {}


def test_no_page_breaks_the_content_security_policy_or_a_script(stack: Stack, visit: Visit) -> None:
    page = visit(stack, "lena", viewport=DESK)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda message: (
            said.append(f"{page.url}: {message.text}")
            # The 404 page's own status is said by the browser, and is meant.
            if message.type in {"error", "warning"} and "404" not in message.text
            else None
        ),
    )
    remote: set[str] = set()
    page.on(
        "request",
        lambda request: remote.add(request.url) if not request.url.startswith(stack.url) else None,
    )
    for path in [*PATHS, "/admin/", "/admin/portal/rolemapping/add/", "/admin/pipelines/server/"]:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        expect(page.locator("h1").first).to_be_visible()
    assert said == []
    assert remote == set()
