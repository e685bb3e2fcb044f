"""An administrator gives and takes a right in Django admin, and both are in the audit trail."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.people import Visit, open_service, reason, refused_button, run_build, run_link
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def give_ben_the_right(lena: Page) -> None:
    lena.goto("/admin/portal/rolemapping/add/")
    lena.get_by_label("IdP group").fill("idp:box-office")
    lena.get_by_label("Role", exact=False).first.select_option(label="Deployer")
    lena.get_by_label("Scope").select_option("team")
    lena.get_by_label("Of", exact=False).first.fill("group:default/payments")
    lena.get_by_label("Note").fill("The box office helps out this week.")
    lena.get_by_role("button", name="Save", exact=True).click()
    expect(lena.get_by_text("was added successfully")).to_be_visible()


def take_it_away(lena: Page) -> None:
    lena.goto("/admin/portal/rolemapping/?q=box-office&scope_kind=team")
    lena.get_by_role("link", name="idp:box-office", exact=True).click()
    lena.get_by_role("link", name="Delete").click()
    lena.get_by_role("button", name="Yes").click()
    expect(lena.get_by_text("was deleted successfully")).to_be_visible()


def test_a_role_mapping_enables_the_button_and_its_removal_denies(
    stack: Stack, visit: Visit
) -> None:
    lena, ben = visit(stack, "lena"), visit(stack, "ben")
    open_service(ben)
    expect(refused_button(ben, "payments-api")).to_be_visible()

    give_ben_the_right(lena)
    open_service(ben)
    run_build(ben, "payments-api")

    # Ben has the form open when he loses the right: what counts is what holds when he asks.
    open_service(ben)
    run_link(ben, "payments-api").click()
    button = ben.get_by_role("button", name="Run payments-api", exact=True)
    expect(button).to_be_enabled()
    take_it_away(lena)
    button.click()
    expect(ben.locator("main")).to_contain_text("may not start builds")
    open_service(ben)
    button = refused_button(ben, "payments-api")
    expect(button).to_be_visible()
    assert "may not start builds" in reason(ben, button)

    check_the_trail(lena)


def check_the_trail(lena: Page) -> None:
    lena.goto("/admin/portal/auditevent/?q=Ben")
    asked = lena.get_by_role("row").filter(has_text="payments-api")
    expect(asked.filter(has_text="denied").first).to_be_visible()
    expect(asked.filter(has_text="asked for a build").filter(has_text="done").first).to_be_visible()
    lena.goto("/admin/portal/auditevent/?q=Lena")
    mappings = lena.get_by_role("row").filter(has_text="idp:box-office")
    expect(mappings.filter(has_text="added in admin").first).to_be_visible()
    expect(mappings.filter(has_text="deleted in admin").first).to_be_visible()
