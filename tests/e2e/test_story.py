"""The story of the README, in a browser, through the real sign-in to a finished build."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import (
    BUILD_MS,
    Visit,
    open_service,
    reason,
    refused_button,
    reload_until,
    run_build,
    run_link,
    watch_build,
)
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def test_ana_finds_a_service_and_runs_a_build_and_ben_may_not(stack: Stack, visit: Visit) -> None:
    ana = visit(stack, "ana")
    ana.get_by_role("searchbox", name="Search the catalog").fill("payments")
    ana.keyboard.press("Enter")
    ana.get_by_role("link", name="Payments API", exact=True).first.click()
    expect(ana.get_by_role("heading", name="Payments API", level=1)).to_be_visible()
    open_service(ana)
    build = run_build(ana, "payments-api")
    expect(ana.get_by_text("Finished: SUCCESS")).to_be_visible(timeout=BUILD_MS)
    expect(ana.get_by_text("Ana Duarte, for Payments")).to_be_visible()

    ben = visit(stack, "ben")
    open_service(ben)
    number = build.rpartition(" ")[2]
    expect(ben.get_by_role("link", name=number, exact=True).first).to_be_visible()
    button = refused_button(ben, "payments-api")
    expect(button).to_be_visible()
    said = reason(ben, button)
    assert said.startswith("Your role here is Viewer, which may not start builds. Payments")
    assert said.endswith("can help.")


def test_the_service_page_follows_a_moving_build_and_then_keeps_quiet(
    stack: Stack, visit: Visit
) -> None:
    ana = visit(stack, "ana")
    open_service(ana)
    watcher = visit(stack, "ben")
    open_service(watcher)
    run_link(ana, "payments-api-deploy").click()
    ana.get_by_label("ENVIRONMENT").select_option("staging")
    expect(ana.locator("#trigger-preview")).to_contain_text("staging", ignore_case=True)
    ana.get_by_role("button", name="Run payments-api-deploy").click()
    build = watch_build(ana, "payments-api-deploy").rpartition(" ")[2]
    # Nobody reloads the watcher's page; a watched page is read again within half a minute.
    row = watcher.get_by_role("row").filter(has=watcher.get_by_role("link", name=build))
    expect(row.first).to_contain_text("passed", timeout=BUILD_MS)


def test_what_takes_effect_in_production_is_decided_by_the_rules_and_not_by_the_form(
    stack: Stack, visit: Visit
) -> None:
    """Daniel may start builds of Payments in development only."""
    daniel = visit(stack, "daniel")
    open_service(daniel)
    run_link(daniel, "payments-api-deploy").click()
    preview = daniel.locator("#trigger-preview")
    daniel.get_by_label("ENVIRONMENT").select_option("production")
    expect(preview).to_contain_text("this takes effect in production")
    expect(refused_button(daniel, "payments-api-deploy")).to_be_visible()
    daniel.get_by_label("ENVIRONMENT").select_option("development")
    daniel.get_by_label("Branch").fill("feature/gift-cards")
    expect(daniel.get_by_role("button", name="Run payments-api-deploy")).to_be_enabled()


def test_the_story_without_javascript(stack: Stack, visit: Visit) -> None:
    ana = visit(stack, "ana", java_script_enabled=False)
    open_service(ana)
    run_link(ana, "payments-api").click()
    ana.get_by_role("button", name="Run payments-api", exact=True).click()
    opened = ana.get_by_role("link", name="Open build")
    reload_until(ana, lambda: opened.count() > 0)
    opened.click()
    state = ana.locator("#build .state--large")
    reload_until(ana, lambda: "passed" in state.inner_text())
    reload_until(ana, lambda: ana.get_by_text("Finished: SUCCESS").count() > 0)


def test_a_stale_annotation_is_said_with_its_file_and_the_nearest_match(
    stack: Stack, visit: Visit
) -> None:
    ben = visit(stack, "ben")
    ben.goto("/catalog/default/component/pricing/")
    main = ben.locator("main")
    reload_until(ben, lambda: "box-office/pricing-service" in main.inner_text())
    expect(main).to_contain_text("box-office/pricing-service")
    expect(main).to_contain_text("systems/box-office/catalog-info.yaml")
