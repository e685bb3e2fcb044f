"""A freeze in a browser: Ana is stopped, Lena breaks the glass, and Ana reviews what she did."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SPEED
from tests.e2e.people import Visit, open_service, run_link, save_in_admin, watch_build
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

PIPELINE = "payments-api-deploy"
WHY = "The year-end close of the books"


@pytest.fixture
def frozen(tmp_path: Path, visit: Visit) -> Iterator[Stack]:
    """A portal of its own, whose administrator has just frozen production."""
    with Stack(tmp_path, SANDBOX_SPEED=SPEED) as stack:
        lena = visit(stack, "lena")
        lena.goto("/freezes/")
        lena.get_by_role("link", name="Set a freeze").click()
        lena.get_by_label("Environment").select_option(label="Production")
        fill(lena, "starts_at", "2026-01-01")
        fill(lena, "ends_at", "2099-12-31")
        lena.get_by_label("Reason").fill(WHY)
        save_in_admin(lena)
        yield stack


def fill(page: Page, name: str, day: str) -> None:
    page.locator(f"#id_{name}_0").fill(day)
    page.locator(f"#id_{name}_1").fill("18:00:00")


def run_form(page: Page) -> None:
    """The form that would run the deployment in production."""
    open_service(page)
    run_link(page, PIPELINE).click()
    page.get_by_label("ENVIRONMENT").select_option("production")
    see = page.get_by_role("button", name="See what will happen")
    if see.is_visible():
        see.click()


def test_a_freeze_and_a_break_glass(frozen: Stack, visit: Visit) -> None:
    ana, lena = visit(frozen, "ana"), visit(frozen, "lena")
    until = "Production is frozen until 31 Dec 2099, 18:00 UTC"
    open_service(ana)
    expect(ana.locator(".banners")).to_contain_text(f"{until}: {WHY} (set by Lena Fischer).")
    run_form(ana)
    expect(ana.locator("#trigger-preview")).to_contain_text(until)
    expect(ana.get_by_role("button", name=f"Run {PIPELINE}", disabled=True)).to_be_visible()
    expect(ana.get_by_role("link", name="break the glass")).to_have_count(0)
    ana.goto("/freezes/")
    expect(ana.locator("main")).to_contain_text(WHY)

    # An administrator is stopped as well, and has the one way out.
    run_form(lena)
    expect(lena.locator("#trigger-preview")).to_contain_text(until)
    lena.get_by_role("link", name="break the glass").click()
    break_it(lena)
    run_form(lena)
    expect(lena.locator("#trigger-preview")).to_contain_text("You have broken the glass")
    lena.get_by_role("button", name=f"Run {PIPELINE}", exact=True).click()
    watch_build(lena, PIPELINE)

    open_service(ana)
    expect(ana.locator(".banners")).to_contain_text("Lena Fischer runs there")
    ana.get_by_role("link", name="Why, and what was run").click()
    expect(ana.locator("main")).to_contain_text(f"Start {PIPELINE}")
    close_and_review(lena, ana)


def break_it(page: Page) -> None:
    page.get_by_label("Reason").fill("too short")
    page.get_by_label("Incident").fill("https://limelight.example/incidents/7")
    page.get_by_role("button", name="Break the glass").click()
    expect(page.get_by_text("Say a little more")).to_be_visible()
    page.get_by_label("Reason").fill("Card payments fail since 10:40; the fix is on main.")
    page.get_by_role("button", name="Break the glass").click()
    expect(page.get_by_role("heading", name="Glass broken in Production")).to_be_visible()


def close_and_review(lena: Page, ana: Page) -> None:
    lena.goto(ana.url)
    lena.get_by_role("button", name="Close it now").click()
    expect(lena.get_by_text("Nobody reviews what they did themselves.")).to_be_visible()
    ana.goto("/")
    ana.get_by_role("link", name="Review it").click()
    ana.get_by_label("Justified", exact=True).check()
    ana.get_by_label("Comment").fill("Payments were down, and nothing else would have helped.")
    ana.get_by_role("button", name="Review").click()
    expect(ana.get_by_text("Justified, says Ana Duarte")).to_be_visible()
    run_form(lena)
    expect(lena.locator("#trigger-preview")).to_contain_text("is frozen until")
    ana.goto("/glass/")
    expect(ana.get_by_role("row").filter(has_text="Payments API")).to_contain_text("Justified")


def test_a_freeze_without_javascript(frozen: Stack, visit: Visit) -> None:
    lena = visit(frozen, "lena", java_script_enabled=False)
    run_form(lena)
    lena.get_by_role("link", name="break the glass").click()
    break_it(lena)
    lena.get_by_role("button", name="Close it now").click()
    expect(lena.get_by_text("The usual rules hold again.")).to_be_visible()
