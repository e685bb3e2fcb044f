"""Every kind of page in a browser: accessible in both colour schemes, whole on a phone, silent."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import yaml
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from tests.e2e.people import (
    SERVICE,
    Visit,
    open_service,
    reload_until,
    run_link,
    service,
    waiting_build,
)
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}
# Without motion: a colour on its way from one scheme to the other has no contrast to speak of.
STILL: dict[str, Any] = {"viewport": DESK, "reduced_motion": "reduce"}
# The rules of axe that can fail in one scheme and hold in the other.
OF_COLOUR = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
LONG = "a-name-of-" + "x" * 53
AT = "/catalog/default"
PATHS = [
    "/",
    "/catalog/",
    "/catalog/?kind=any&q=payments&tag=go&state=problems",
    "/catalog/?show=starred",
    "/catalog/?kind=Dashboard",
    "/search/?q=payments",
    "/search/?q=paymets",
    SERVICE,
    f"{AT}/component/pricing/",
    f"{AT}/component/{LONG}/",
    f"{AT}/component/{LONG}/graph/",
    f"{AT}/component/odd-twin/",
    f"{AT}/api/payments-api/",
    f"{AT}/resource/event-bus/",
    f"{AT}/location/limelight/",
    f"{AT}/template/odd-template/",
    f"{AT}/dashboard/odd-board/",
    f"{AT}/group/payments/?below=1",
    f"{AT}/group/payments/roles/",
    f"{AT}/user/kofi/",
    f"{AT}/system/payments/",
    f"{AT}/domain/ticketing/",
    f"{AT}/component/payments-api/docs/guides/take-a-payment.md",
    f"{AT}/component/receipts/docs/",
    f"{AT}/component/payments-api/raw/",
    f"{AT}/component/payments-api/graph/?depth=3",
    f"{AT}/component/payments-api/unregister/",
    f"{AT}/api/payments-api/definition/",
    f"{AT}/api/search-api/definition/",
    f"{AT}/api/odd-events/definition/",
    f"{AT}/api/odd-calls/definition/",
    "/teams/",
    "/builds/",
    "/triggers/",
    "/approvals/",
    "/standing/",
    "/freezes/",
    "/glass/",
    "/incidents/",
    "/sources/",
    "/sources/limelight/",
    "/repositories/",
    "/register/descriptor/",
    "/account/",
    "/account/claims/",
    "/account/permissions/",
    "/account/tokens/new/",
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
    "/admin/pipelines/environment/",
    "/admin/pipelines/freeze/",
]


Opening = str | Callable[[Page], object]


@pytest.fixture(scope="session")
def odd(stack: Stack) -> None:
    """Descriptors that the demo does not have: kinds, a name that two claim, and what is wrong."""
    owned = {"owner": "platform", "lifecycle": "production"}
    many = {"tags": [f"tag-{n}" for n in range(30)], "title": "x" * 100}
    events = "asyncapi: 3.0.0\nchannels:\n  seats: {address: seats}\n"
    calls = "service Seats {\n  rpc Find (Wish) returns (Seat);\n}\n"
    twin = _document("Component", "odd-twin", type="service", **owned)
    dangling = {"dependsOn": [f"component:nowhere-{n}" for n in range(40)], "type": "service"}
    written = [
        _document("Component", LONG, many, **owned, **dangling),
        _document("API", "odd-events", type="asyncapi", definition=events, **owned),
        _document("API", "odd-calls", type="grpc", definition=calls, **owned),
        _document("Template", "odd-template", type="service", steps=[], owner="platform")
        | {"apiVersion": "scaffolder.backstage.io/v1beta3"},
        _document("Dashboard", "odd-board", panels=["one"]),
        _document("Component", "not a name"),
        twin,
    ]
    for folder, documents in (("odd", written), ("odder", [twin])):
        path = stack.descriptors / "systems" / folder / "catalog-info.yaml"
        path.parent.mkdir()
        path.write_text(yaml.safe_dump_all(documents))


def _document(kind: str, name: str, more: dict[str, Any] | None = None, **spec: Any) -> Any:
    metadata = {"name": name, **(more or {})}
    return {"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


# --- Pages that take a step to reach ----------------------------------------------------------
def that_depend(page: Page) -> list[Opening]:
    """The forms, and builds with their logs."""
    open_service(page)
    run = run_link(page, "payments-api").get_attribute("href")
    page.goto("/builds/")
    build = page.get_by_role("link", name=re.compile(r"#\d+")).first.get_attribute("href")
    assert run
    assert build
    return [run, build, waiting_build(page), activation(page), promotion(page), refused]


def refused(page: Page) -> None:
    """The answer to who may not: a page lets nobody ask who may not, so the button is freed."""
    page.goto("/sources/limelight/")
    sync = page.get_by_role("button", name="Sync now", exact=True)
    sync.evaluate("button => { button.disabled = false; button.click() }")
    expect(page.get_by_role("heading", name="You may not open this page")).to_be_visible()


def preview(page: Page) -> None:
    """What registering an address would do; here nothing can be read."""
    page.goto("/register/")
    page.get_by_label("Address").fill("http://127.0.0.1:1/catalog-info.yaml")
    page.get_by_role("button", name="Look what is there").click()
    expect(page.get_by_text("It can't be read")).to_be_visible()


def dry_run(page: Page) -> None:
    page.goto("/sources/limelight/")
    page.get_by_role("button", name="Dry run", exact=True).click()
    expect(page.get_by_role("heading", name="What a reading would change")).to_be_visible()


def token(page: Page) -> None:
    """A new token, shown once."""
    page.goto("/account/tokens/new/")
    page.get_by_label("What it is for").fill("nightly report")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_label("Your token")).to_be_visible()


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


# --- What a page must not do ------------------------------------------------------------------
def watched(page: Page, stack: Stack) -> list[str]:
    """Whatever its pages say on the console, or load from elsewhere, from now on."""
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda message: (
            said.append(f"{page.url}: {message.text}")
            # A refusal's own status is said by the browser, and is meant.
            if message.type in {"error", "warning"}
            and not re.search(r"status of (403|404|422)", message.text)
            else None
        ),
    )
    page.on(
        "request",
        lambda request: said.append(request.url) if not request.url.startswith(stack.url) else None,
    )
    return said


def faults_of(page: Page) -> list[str]:
    """What is wrong with the page that is open, in both schemes and on a phone."""
    found = []
    page.evaluate(AXE_SCRIPT)
    for scheme, rules in (("light", {}), ("dark", {"runOnly": OF_COLOUR})):
        page.emulate_media(color_scheme=scheme)
        options = {"resultTypes": ["violations"], **rules}
        for fault in page.evaluate("options => axe.run(options)", options)["violations"]:
            places = [" ".join(node["target"]) for node in fault["nodes"]]
            found.append(f"{scheme}: {fault['id']} at {places[:3]}")
    page.set_viewport_size(PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(DESK)
    return found if width <= PHONE["width"] else [*found, f"{width} px wide on a phone"]


def faults_on(page: Page, openings: Iterable[Opening]) -> dict[str, list[str]]:
    faults = {}
    for opening in openings:
        if isinstance(opening, str):
            page.goto(opening)
        else:
            opening(page)
        expect(page.locator(".htmx-request")).to_have_count(0)
        expect(page.locator("h1").first).to_be_visible()
        faults[page.url] = faults_of(page)
    return {url: found for url, found in faults.items() if found}


def test_every_page_is_whole_and_silent(stack: Stack, visit: Visit, odd: None) -> None:
    page = visit(stack, "ana", **STILL)
    openings = [*that_depend(page), *PATHS]
    page.goto(f"{AT}/dashboard/odd-board/")
    # The folder is read once a minute.
    reload_until(page, lambda: page.get_by_text("does not support").count() > 0, seconds=120)
    said = watched(page, stack)
    assert faults_on(page, openings) == {}
    assert said == []


def test_pages_of_who_may_more_are_whole_and_silent(stack: Stack, visit: Visit, odd: None) -> None:
    page = visit(stack, "lena", **STILL)
    said = watched(page, stack)
    openings = ["/", SERVICE, f"{AT}/component/odd-twin/", preview, dry_run, token]
    assert faults_on(page, [*openings, "/account/tokens/"]) == {}
    for path in ADMIN_PATHS:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        expect(page.locator("h1").first).to_be_visible()
    assert said == []
