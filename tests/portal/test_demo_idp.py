"""The demo's identity provider: a process of its own, and a whole sign-in through it."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.conf import settings as django_settings
from django.contrib.auth.models import User

from portal.demo_idp.people import PEOPLE
from portal.models import Identity
from portal.process_cache import notes
from portal.recent_signin import ASKED_KEY, AT_KEY
from portal.user_sessions import SessionStore
from tests.plugins.ports import free_port

START_SECONDS = 60
PERSON = PEOPLE[0]
PRODUCTION = {
    "STAGEDOOR_ENV": "production", "SECRET_KEY": "secret" * 10, "OIDC_CLIENT_ID": "stagedoor",
    "OIDC_CLIENT_SECRET": "x", "OIDC_ISSUER": "https://sso.example",
    "PORTAL_URL": "https://stagedoor.example",
}  # fmt: skip


class Running:
    """`manage.py demo_idp` with a data folder that outlives a restart."""

    def __init__(self, folder: Path, portal_url: str, **variables: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.folder = folder
        self.environment = {
            **os.environ,
            "STAGEDOOR_ENV": "demo",
            "STAGEDOOR_DATA_DIR": str(folder),
            "PORTAL_URL": portal_url,
            "OIDC_ISSUER": self.url,
            **variables,
        }

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "demo_idp"],
            cwd=django_settings.BASE_DIR,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline, "the provider did not start"
            time.sleep(0.1)

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/.well-known/openid-configuration", timeout=5).ok
        except requests.ConnectionError:
            return False

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory, live_server) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("idp"), live_server.url)
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def portal(idp, live_server, settings) -> str:
    notes.clear()
    settings.OIDC_OP_ISSUER = idp.url
    settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET = "stagedoor", "demo-client-secret"
    settings.OIDC_USER_REF_CLAIM = "catalog_user"
    settings.OIDC_ADMIN_GROUPS = ["stagedoor-admins"]
    yield live_server.url
    notes.clear()


def token_in(page: str) -> str:
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]


def sign_in(session: requests.Session, portal: str, username: str, password: str):
    """As a browser does it: the portal's link, the provider's form, and back."""
    form = session.get(f"{portal}/oidc/authenticate/?next=/account/")
    data = {
        "login": username, "password": password, "csrfmiddlewaretoken": token_in(form.text),
        "next": re.search(r'name="next"[^>]*value="([^"]+)"', form.text)[1].replace("&amp;", "&"),
    }  # fmt: skip
    return session.post(form.url.partition("?")[0], data=data, headers={"Referer": form.url})


@pytest.mark.django_db(transaction=True)
def test_a_person_of_the_demo_signs_in_end_to_end_and_out_again(idp, portal):
    browser = requests.Session()
    page = sign_in(browser, portal, PERSON.username, PERSON.password)
    assert page.url == f"{portal}/account/"
    assert PERSON.name in page.text
    user = User.objects.get()
    assert (user.username, user.email) == (PERSON.username, PERSON.email)
    assert set(user.groups.values_list("name", flat=True)) == {f"idp:{g}" for g in PERSON.groups}
    assert user.catalog_link.user_ref == f"user:default/{PERSON.username}"
    assert Identity.objects.get().issuer == idp.url

    headers = {"Referer": page.url}
    data = {"csrfmiddlewaretoken": token_in(page.text)}
    out = browser.post(f"{portal}/signout/", data=data, headers=headers)
    assert out.headers["Refresh"] == "0; url=/signout/provider/"
    assert browser.get(f"{portal}/signout/provider/").url == f"{portal}/signed-out/"
    assert "Sign in at Limelight" in browser.get(f"{portal}/oidc/authenticate/").text


@pytest.mark.django_db(transaction=True)
def test_a_wrong_password_signs_nobody_in(portal):
    page = sign_in(requests.Session(), portal, PERSON.username, "wrong")
    assert "are not correct" in page.text
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_who_is_to_show_again_who_they_are_is_asked_for_the_password(idp, portal):
    browser = requests.Session()
    sign_in(browser, portal, PERSON.username, PERSON.password)
    store = SessionStore(browser.cookies["stagedoor_session"])
    store[ASKED_KEY] = time.time()
    store[AT_KEY] = 0
    store.save()
    form = browser.get(f"{portal}/oidc/authenticate/?next=/account/")
    assert form.url.startswith(f"{idp.url}/accounts/reauthenticate/")
    data = {"password": "wrong", "csrfmiddlewaretoken": token_in(form.text)}
    data["next"] = re.search(r'name="next"[^>]*value="([^"]+)"', form.text)[1].replace("&amp;", "&")
    form = browser.post(form.url, data=data, headers={"Referer": form.url})
    assert "That is not the password." in form.text
    data |= {"password": PERSON.password, "csrfmiddlewaretoken": token_in(form.text)}
    page = browser.post(form.url, data=data, headers={"Referer": form.url})
    assert page.url == f"{portal}/account/"
    assert "You have signed in again." in page.text


@pytest.mark.django_db(transaction=True)
def test_the_administrators_of_the_demo_open_django_admin(portal):
    boss = next(person for person in PEOPLE if "stagedoor-admins" in person.groups)
    browser = requests.Session()
    sign_in(browser, portal, boss.username, boss.password)
    assert browser.get(f"{portal}/admin/").url == f"{portal}/admin/"
    assert User.objects.get().is_superuser


@pytest.mark.django_db(transaction=True)
def test_sessions_and_keys_survive_a_restart(idp, portal):
    browser = requests.Session()
    sign_in(browser, portal, PERSON.username, PERSON.password)
    keys = requests.get(f"{idp.url}/.well-known/jwks.json", timeout=5).json()
    idp.stop()
    idp.start()
    assert requests.get(f"{idp.url}/.well-known/jwks.json", timeout=5).json() == keys
    later = requests.Session()  # has forgotten the portal, not the provider
    for cookie in browser.cookies:
        if cookie.name.startswith("demo_idp"):
            later.cookies.set_cookie(cookie)
    again = later.get(f"{portal}/oidc/authenticate/?next=/account/")
    assert again.url == f"{portal}/account/"  # no form in between
    assert User.objects.count() == 1


def test_its_key_is_its_owners_alone(idp):
    assert stat.S_IMODE((idp.folder / "demo-idp-key.pem").stat().st_mode) == 0o600


def test_its_pages_name_everybody_and_register_nobody(idp):
    page = requests.get(f"{idp.url}/accounts/login/", timeout=5).text
    for person in PEOPLE:
        assert person.name in page
        assert person.may in page
    assert requests.get(f"{idp.url}/style.css", timeout=5).headers["Content-Type"] == "text/css"
    assert "Open Stagedoor" in requests.get(idp.url, timeout=5).text
    assert requests.get(f"{idp.url}/accounts/signup/", timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("command", "variables", "words"),
    [
        (["manage.py", "demo_idp"], PRODUCTION, "does not run in production"),
        (["-m", "portal.demo_idp"], PRODUCTION, "does not run in production"),
        (["manage.py", "demo_idp"], {"OIDC_ISSUER": "http://0.0.0.0:9700"}, "this machine only"),
    ],
)
def test_it_refuses_to_serve_anybody_else(tmp_path, command, variables, words):
    running = Running(tmp_path, "https://portal.example", **variables)
    done = subprocess.run(
        [sys.executable, *command],
        cwd=django_settings.BASE_DIR,
        env=running.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert words in done.stderr + done.stdout
