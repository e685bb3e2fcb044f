"""Four eyes in a browser: production asks for an approval, Ana asks, Lena agrees, and it runs."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SPEED
from tests.e2e.people import Visit, open_service, reload_until, run_link, save_in_admin, watch_build
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

PIPELINE = "payments-api-deploy"


@pytest.fixture(scope="module")
def stack_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Other stories run builds in production without asking anybody."""
    with Stack(tmp_path_factory.mktemp("approvals"), SANDBOX_SPEED=SPEED) as stack:
        yield stack


@pytest.fixture
def guarded(stack_of_its_own: Stack, visit: Visit) -> Stack:
    """A portal whose administrator has just said that production needs one approval."""
    need_approvals(visit(stack_of_its_own, "lena"), 1)
    return stack_of_its_own


def need_approvals(lena: Page, count: int) -> None:
    lena.goto("/admin/pipelines/environment/")
    lena.get_by_role("link", name="Production", exact=True).click()
    lena.get_by_label("Approvals needed").fill(str(count))
    lena.get_by_label("Allow what can't be pinned").check()
    save_in_admin(lena)


def ask(page: Page) -> str:
    """Asks for a run in production; the address of the request's page."""
    open_service(page)
    run_link(page, PIPELINE).click()
    page.get_by_label("ENVIRONMENT").select_option("production")
    see = page.get_by_role("button", name="See what will happen")
    if see.is_visible():
        see.click()
    expect(page.locator("#trigger-preview")).to_contain_text("before other people approve it")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("Waits for approval")).to_be_visible()
    return page.url


def test_a_request_and_its_approval(guarded: Stack, visit: Visit) -> None:
    ana, lena = visit(guarded, "ana"), visit(guarded, "lena")
    address = ask(ana)
    expect(ana.get_by_text("Nobody approves their own request.")).to_be_visible()
    expect(ana.get_by_role("button", name="Approve")).to_have_count(0)

    lena.goto("/")
    expect(lena.get_by_text("1 request waits for your approval.")).to_be_visible()
    lena.get_by_role("navigation", name="Main").get_by_role("link", name="Approvals").click()
    lena.get_by_role("link", name=f"Start {PIPELINE}").click()
    main = lena.locator("main")
    for word in ("Ana Duarte", "Production", "main", "ENVIRONMENT", "Not pinned"):
        expect(main).to_contain_text(word)
    lena.get_by_label("Comment").fill("Go ahead.")
    lena.get_by_role("button", name="Approve").click()
    expect(lena.get_by_text("Noted, with your name.")).to_be_visible()
    watch_build(lena, PIPELINE)
    ana.goto(address)
    expect(ana.locator("main")).to_contain_text("Lena Fischer approved it")


def test_a_refusal_with_its_reason_without_javascript(guarded: Stack, visit: Visit) -> None:
    ana = visit(guarded, "ana", java_script_enabled=False)
    lena = visit(guarded, "lena", java_script_enabled=False)
    lena.goto(ask(ana))
    lena.get_by_label("Comment").fill("Not before Monday.")
    lena.get_by_role("button", name="Refuse").click()
    ana.reload()
    expect(ana.locator("main")).to_contain_text("Lena Fischer refused it: Not before Monday.")


def test_the_rules_change_between_request_and_approval(guarded: Stack, visit: Visit) -> None:
    ana, lena = visit(guarded, "ana"), visit(guarded, "lena")
    address = ask(ana)
    lena.goto(address)
    need_approvals(visit(guarded, "lena"), 2)
    lena.get_by_role("button", name="Approve").click()
    expect(lena.locator("main")).to_contain_text("Production asks for 2 approvals now. Ask again.")
    reload_until(ana, lambda: "Denied when it" in ana.locator("main").inner_text())
