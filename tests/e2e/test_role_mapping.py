"""An administrator gives and takes a right in Django admin, and both are in the audit trail."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.people import Visit, open_service, reason, refused_button, run_build, run_link
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

# A person and a service that no other story uses.
SERVICE = "/catalog/default/component/recommendations/"
PIPELINE = "Recommendations"


def give_farid_the_right(lena: Page) -> None:
    lena.goto("/admin/portal/rolemapping/add/")
    lena.get_by_label("Group", exact=False).first.fill("idp:discovery")
    lena.get_by_label("Role", exact=False).first.select_option(label="Deployer")
    lena.get_by_label("Scope").select_option("team")
    lena.get_by_label("Of", exact=False).first.fill("group:default/discovery")
    lena.get_by_label("Note").fill("Everybody in Discovery may try this week.")
    lena.get_by_role("button", name="Save", exact=True).click()
    expect(lena.get_by_role("heading", name="Before it is saved")).to_be_visible()
    expect(lena.get_by_role("row").filter(has_text="Farid")).not_to_have_count(0)
    lena.get_by_role("button", name="Save", exact=True).click()
    expect(lena.get_by_text("was added successfully")).to_be_visible()


def what_would_change(page: Page) -> Locator:
    """Beside the button, folded away until somebody asks."""
    more = page.locator(".pipeline").filter(has_text=PIPELINE).locator(".why").first
    more.get_by_text("What would change this").click()
    return more


def take_it_away(lena: Page) -> None:
    lena.goto("/admin/portal/rolemapping/?q=idp:discovery&scope_kind=team")
    lena.get_by_role("link", name="idp:discovery", exact=True).click()
    lena.get_by_role("link", name="Delete", exact=True).click()
    expect(lena.get_by_role("row").filter(has_text="loses").first).to_be_visible()
    lena.get_by_role("button", name="Delete", exact=True).click()
    expect(lena.get_by_text("was deleted successfully")).to_be_visible()


def test_a_role_mapping_enables_the_button_and_its_removal_denies(
    stack: Stack, visit: Visit
) -> None:
    lena, farid = visit(stack, "lena"), visit(stack, "farid")
    open_service(farid, SERVICE)
    expect(refused_button(farid, PIPELINE)).to_be_visible()
    expect(what_would_change(farid)).to_contain_text("the role Deployer for pipeline")

    give_farid_the_right(lena)
    open_service(farid, SERVICE)
    run_build(farid, PIPELINE)

    # Farid has the form open when he loses the right: what counts is what holds when he asks.
    open_service(farid, SERVICE)
    run_link(farid, PIPELINE).click()
    button = farid.get_by_role("button", name=f"Run {PIPELINE}", exact=True)
    expect(button).to_be_enabled()
    take_it_away(lena)
    button.click()
    expect(farid.locator("main")).to_contain_text("may not start builds")
    open_service(farid, SERVICE)
    button = refused_button(farid, PIPELINE)
    expect(button).to_be_visible()
    assert "may not start builds" in reason(farid, button)

    check_the_trail(lena)


def check_the_trail(lena: Page) -> None:
    lena.goto("/admin/portal/auditevent/?q=Farid")
    asked = lena.get_by_role("row").filter(has_text="recommendations")
    denied = asked.filter(has_text="denied").first
    expect(denied).to_contain_text("Your role here is Viewer, which may not start builds.")
    expect(
        asked.filter(has_text="asked to start a build").filter(has_text="done").first
    ).to_be_visible()
    lena.goto("/admin/portal/auditevent/?q=Lena")
    mappings = lena.get_by_role("row").filter(has_text="idp:discovery")
    expect(mappings.filter(has_text="added in admin").first).to_be_visible()
    expect(mappings.filter(has_text="deleted in admin").first).to_be_visible()
