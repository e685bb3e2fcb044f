"""Every page in a browser: accessible in both colour schemes, whole on a phone, no script error."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.people import BUILD_MS, SERVICE, Visit, open_service, run_link
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
    "/catalog/default/component/payments-api/docs/",
    "/catalog/default/component/payments-api/docs/guides/take-a-payment.md",
    "/catalog/default/component/receipts/docs/",
    "/catalog/default/group/payments/?below=1",
    "/catalog/default/user/kofi/",
    "/catalog/default/system/payments/",
    "/catalog/default/domain/ticketing/",
    "/catalog/default/component/payments-api/raw/",
    "/catalog/default/component/payments-api/graph/?depth=3",
    "/catalog/default/component/payments-api/unregister/",
    "/catalog/default/api/payments-api/definition/",
    "/catalog/default/api/search-api/definition/",
    "/teams/",
    "/builds/",
    "/triggers/",
    "/sources/",
    "/sources/limelight/",
    "/repositories/",
    "/account/",
    "/account/claims/",
    "/nothing-is-here/",
]
ADMIN_PATHS = [
    "/admin/",
    "/admin/portal/rolemapping/add/",
    "/admin/portal/delivery/",
    "/admin/catalog/source/",
    "/admin/catalog/source/add/",
    "/admin/pipelines/server/",
    "/admin/pipelines/server/add/",
    "/admin/pipelines/vendoraccount/add/",
]


def addresses(page: Page) -> list[str]:
    """PATHS, and those that depend on what there is: the forms, and builds with their logs."""
    open_service(page)
    run = run_link(page, "payments-api").get_attribute("href")
    page.goto("/builds/")
    build = page.get_by_role("link", name=re.compile(r"#\d+")).first.get_attribute("href")
    assert run
    assert build
    return [*PATHS, run, build, waiting_build(page), activation(page), promotion(page)]


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
        expect(page.locator("#gates button")).to_be_visible(timeout=BUILD_MS)
        page.goto("/builds/?state=waiting")
    return waiting.first.get_attribute("href") or ""


def activation(page: Page) -> str:
    """Where a pipeline is switched on, as it looks to somebody who may not."""
    open_service(page, service("queue-board"))
    pipeline = page.locator(".pipeline").first.get_attribute("id") or ""
    return f"/pipelines/{pipeline.removeprefix('pipeline-')}/activate/"


def promotion(page: Page) -> str:
    """Where a build is promoted to an environment."""
    open_service(page, service("receipts"))
    passed = page.get_by_role("row").filter(has_text="passed").first
    passed.locator("a.table__title").click()
    promote = page.get_by_role("link", name="Promote", exact=True)
    return promote.get_attribute("href") or ""


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
    for path in [*PATHS, *ADMIN_PATHS]:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        expect(page.locator("h1").first).to_be_visible()
    assert said == []
    assert remote == set()
