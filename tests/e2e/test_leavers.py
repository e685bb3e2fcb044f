"""What is open in a browser stops when access ends, and says so; what is only late goes on."""

import re
import time
from collections.abc import Callable

import jwt
import pytest
import requests
from playwright.sync_api import Page, expect

from portal.backchannel import EVENT
from tests.e2e.conftest import SCIM_TOKEN
from tests.e2e.people import Visit, waiting_build
from tests.e2e.stack import Stack
from tests.portal.scim.directory import PATCH, USER

pytestmark = pytest.mark.e2e


def end_by_scim(stack: Stack, lena: Page, name: str) -> None:
    """The company's directory takes the person out."""
    users = f"{stack.url}/scim/v2/Users"
    headers = {"Authorization": f"Bearer {SCIM_TOKEN}"}
    user = {"schemas": [USER], "userName": name, "externalId": f"limelight-{name}", "active": True}
    made = requests.post(users, json=user, headers=headers, timeout=20)
    leave = {"op": "replace", "path": "active", "value": False}
    patch = {"schemas": [PATCH], "Operations": [leave]}
    url = f"{users}/{made.json()['id']}"
    assert requests.patch(url, json=patch, headers=headers, timeout=20).ok


def end_by_backchannel(stack: Stack, lena: Page, name: str) -> None:
    """The identity provider says that the person signed out there."""
    keys = requests.get(f"{stack.provider_url}/.well-known/jwks.json", timeout=20).json()["keys"]
    now = int(time.time())
    token = jwt.encode(
        {
            "iss": stack.provider_url, "aud": "stagedoor", "iat": now, "exp": now + 120,
            "jti": name, "events": {EVENT: {}}, "sub": f"limelight-{name}",
        },
        (stack.folder / "var" / "demo-idp-key.pem").read_text(),
        "RS256",
        {"kid": keys[0]["kid"], "typ": "logout+jwt"},
    )  # fmt: skip
    url = f"{stack.url}/oidc/backchannel-logout/"
    assert requests.post(url, {"logout_token": token}, timeout=20).ok


def end_by_administrator(stack: Stack, lena: Page, name: str) -> None:
    lena.goto(f"/admin/auth/user/?q={name}")
    lena.get_by_role("row").filter(has_text=name).get_by_role("checkbox").check()
    lena.locator("select[name=action]").select_option(label="End access of the chosen people")
    lena.get_by_role("button", name=re.compile("^(Run|Go)")).click()
    lena.get_by_role("button", name="End the access of this person").click()
    expect(lena.get_by_text(f"The access of {name} has ended")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "end", "comes_back"),
    [
        ("ines", end_by_scim, False),
        ("jonas", end_by_backchannel, True),
        ("kofi", end_by_administrator, False),
    ],
)
def test_an_open_build_stops_and_leads_to_sign_in(
    stack: Stack,
    visit: Visit,
    name: str,
    end: Callable[[Stack, Page, str], None],
    comes_back: bool,
) -> None:
    lena = visit(stack, "lena")
    build = waiting_build(lena)
    page = visit(stack, name)
    page.goto(build)
    expect(page.locator("#build[hx-get]")).to_be_visible()
    end(stack, lena, name)
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    page.get_by_role("link", name="Continue with").click()
    if comes_back:
        expect(page.locator("#build")).to_be_visible()
    else:
        expect(page.get_by_text("Your account here is deactivated")).to_be_visible()


def test_what_looks_again_goes_on_after_the_portal_was_away(stack: Stack, visit: Visit) -> None:
    page = visit(stack, "lena")
    page.goto(waiting_build(page))
    away = page.get_by_text("did not answer a request in the background")
    for fail in (lambda route: route.abort(), lambda route: route.fulfill(status=429)):
        page.route("**/status/*", fail, times=1)
        expect(away).to_be_visible()
        expect(away).to_be_hidden(timeout=20_000)
    page.route("**/status/*", lambda route: route.fulfill(status=403))
    expect(page.get_by_text("This page has stopped")).to_be_visible()
