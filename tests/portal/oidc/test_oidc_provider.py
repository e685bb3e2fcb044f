"""The portal against npm's oidc-provider, which is certified by the OpenID Foundation."""

import os
import re
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from portal.models import AuditEvent, Identity
from portal.process_cache import notes
from tests.httpd import Httpd, reply, serve
from tests.npm import install
from tests.plugins.ports import free_port
from tests.portal.oidc.provider import CLIENT_ID, CLIENT_SECRET
from tests.portal.oidc.quirks import QUIRKS

pytestmark = [pytest.mark.node, pytest.mark.django_db]
HERE = Path(__file__).parent
PORTAL = "http://testserver"


@pytest.fixture(scope="module")
def listener() -> Iterator[Httpd]:
    """Where the provider sends its logout tokens."""
    with serve(reply(200)) as running:
        yield running


@pytest.fixture(scope="module")
def issuer(listener: Httpd) -> Iterator[str]:
    folder = install("oidc-provider", HERE)
    port = free_port()
    process = subprocess.Popen(
        ["node", "server.js"],
        cwd=folder,
        env={
            **os.environ, "PORT": str(port), "PORTAL": PORTAL,
            "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "QUIRKS": str(HERE / "quirks"),
            "LISTENER": listener.url,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    try:
        lines = iter(process.stdout.readline, "")
        assert any(line.strip() == "ready" for line in lines), "the provider did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(autouse=True)
def _portal(issuer: str, settings: Any) -> Iterator[None]:
    notes.clear()
    settings.OIDC_OP_ISSUER = issuer
    settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
    yield
    notes.clear()


def follow(browser: requests.Session, method: str, url: str, **kwargs: Any) -> requests.Response:
    """Follows redirects as far as the portal, which runs inside this process."""
    answer = browser.request(method, url, allow_redirects=False, timeout=10, **kwargs)
    while answer.is_redirect:
        target = urljoin(answer.url, answer.headers["Location"])
        if target.startswith(PORTAL):
            return answer
        answer = browser.get(target, allow_redirects=False, timeout=10)
    return answer


def submit(browser: requests.Session, page: requests.Response, **values: str) -> requests.Response:
    """Sends the page's form with its hidden fields."""
    action = unescape(re.search(r'<form[^>]*action="([^"]+)"', page.text)[1])
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return follow(browser, "POST", urljoin(page.url, action), data={**hidden, **values})


def at_the_provider(client: Client, browser: requests.Session, login: str = "mara") -> str:
    """Signs in there and agrees; returns where the browser is sent back to."""
    asked = client.get("/oidc/authenticate/?next=/account/")["Location"]
    page = follow(browser, "GET", asked)
    if page.status_code == 200:
        page = submit(browser, page, login=login, password="anything")
    if page.status_code == 200:
        page = submit(browser, page)
    return page.headers["Location"]


def test_the_code_flow_signs_in_with_claims_from_userinfo(client):
    response = client.get(at_the_provider(client, requests.Session()))
    assert response["Location"] == "/account/"
    user = User.objects.get()
    assert (user.username, user.email) == ("mara", "mara@example.com")
    groups = sorted(user.groups.values_list("name", flat=True))
    assert groups == ["idp:payments", "idp:payments-deployers"]


@pytest.mark.parametrize("name", QUIRKS)
def test_groups_arrive_in_each_providers_way(client, settings, name):
    for setting, value in QUIRKS[name]["settings"].items():
        setattr(settings, setting, value)
    client.get(at_the_provider(client, requests.Session(), name))
    groups = sorted(User.objects.get().groups.values_list("name", flat=True))
    assert groups == QUIRKS[name]["groups"]
    assert QUIRKS[name]["complete"] == (Identity.objects.get().incomplete == "")


def test_a_stolen_code_is_useless_without_its_verifier(client):
    """PKCE: the thief's browser sends its own verifier, and the provider refuses the code."""
    stolen = code_in(at_the_provider(Client(), requests.Session()))
    answer = at_the_provider(client, requests.Session())
    assert client.get(answer.replace(code_in(answer), stolen))["Location"] == "/signin/failed/"
    assert AuditEvent.objects.get().data["code"] == "code_refused"


def code_in(url: str) -> str:
    return re.search(r"[?&]code=([^&]+)", url)[1]


def test_a_session_is_renewed_without_the_person_and_ends_with_the_providers(client):
    browser = requests.Session()
    client.get(at_the_provider(client, browser))
    make_stale(client)
    answer = follow(browser, "GET", client.get("/account/")["Location"])
    assert client.get(answer.headers["Location"])["Location"] == "/account/"
    make_stale(client)
    answer = follow(requests.Session(), "GET", client.get("/account/")["Location"])
    assert "error=login_required" in answer.headers["Location"]
    assert client.get(answer.headers["Location"])["Location"].startswith("/signin/?next=")
    assert "_auth_user_id" not in client.session


def test_signing_out_here_signs_out_there(client):
    browser = requests.Session()
    client.get(at_the_provider(client, browser))
    client.post("/signout/")
    page = follow(browser, "GET", client.get("/signout/provider/")["Location"])
    assert page.status_code == 200  # it asks the person
    back = submit(browser, page, logout="yes")
    assert back.headers["Location"] == f"{PORTAL}/signed-out/"
    asked = client.get("/oidc/authenticate/")["Location"]
    assert follow(browser, "GET", asked).status_code == 200  # its sign-in form again


def test_signing_out_there_signs_out_here(client, listener):
    """Back-channel logout, with the token that the provider sends; other sessions stay."""
    browser, elsewhere = requests.Session(), Client()
    elsewhere.get(at_the_provider(elsewhere, requests.Session()))
    client.get(at_the_provider(client, browser))
    end = f"{settings.OIDC_OP_ISSUER}/session/end?client_id={CLIENT_ID}"
    submit(browser, follow(browser, "GET", end), logout="yes")
    sent = listener.asked[-1]
    assert client.get("/account/").status_code == 200
    form = "application/x-www-form-urlencoded"
    assert client.post(sent.path, sent.body, form).status_code == 200
    assert client.get("/account/").status_code == 302
    assert elsewhere.get("/account/").status_code == 200


def make_stale(client: Client) -> None:
    session = client.session
    session["oidc_id_token_expiration"] = 1
    session.save()
