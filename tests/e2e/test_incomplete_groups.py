"""Somebody whose list of groups may have been cut reads everything, runs nothing, and reads why."""

import sqlite3

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Visit, open_service, reason, refused_button, run_link
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def put_in_groups(stack: Stack, name: str, groups: list[str]) -> None:
    """At the identity provider, and there alone."""
    with sqlite3.connect(stack.folder / "var" / "idp.sqlite3", timeout=20) as database:
        for group in groups:
            database.execute("INSERT OR IGNORE INTO auth_group (name) VALUES (?)", (group,))
            database.execute(
                "INSERT OR IGNORE INTO auth_user_groups (user_id, group_id) SELECT u.id, g.id"
                " FROM auth_user u, auth_group g WHERE u.username = ? AND g.name = ?",
                (name, group),
            )
    database.close()


def test_who_has_as_many_groups_as_okta_sends_at_most_only_reads(
    stack: Stack, visit: Visit
) -> None:
    """Elif deploys Discovery, until she is in so many groups that some may be missing."""
    service, pipeline = "/catalog/default/component/recommendations/", "Recommendations"
    elif_ = visit(stack, "elif")
    open_service(elif_, service)
    expect(run_link(elif_, pipeline)).to_be_visible()

    put_in_groups(stack, "elif", [f"list-{n:03}" for n in range(98)])
    elif_ = visit(stack, "elif")
    open_service(elif_, service)
    button = refused_button(elif_, pipeline)
    expect(button).to_be_visible()
    said = "Exactly 100 groups arrived, where some providers cut the list."
    assert said in reason(elif_, button)
    elif_.goto("/account/claims/")
    main = elif_.locator("main")
    for words in (said, "OIDC_GROUPS_MAX", "discovery-deployers", "list-097"):
        expect(main).to_contain_text(words)

    lena = visit(stack, "lena")
    lena.goto("/admin/auth/user/?q=elif")
    lena.get_by_role("link", name="elif", exact=True).click()
    lena.get_by_role("link", name="Every claim of the last sign-in").click()
    expect(lena.locator("main")).to_contain_text(said)
