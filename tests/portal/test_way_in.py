"""A portal in production starts only where people can sign in, and safely."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from portal.way_in import DEMO_KEY, check_way_in
from tests.checks import production

WHOLE = {
    "SECRET_KEY": secrets.token_urlsafe(64),
    "PORTAL_URL": "https://stagedoor.example",
    "OIDC_ISSUER": "https://sso.example",
    "OIDC_CLIENT_ID": "stagedoor",
    "OIDC_CLIENT_SECRET": "x",
}


def check(doors: tuple[str, ...] = (), **variables: str) -> None:
    check_way_in(production=True, doors=doors, environ={**WHOLE, **variables})


def test_a_whole_installation_starts():
    check()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PORTAL_URL": ""}, "Set PORTAL_URL"),
        ({"PORTAL_URL": "http://stagedoor.example"}, "It begins with https://"),
        ({"PORTAL_URL": "stagedoor.example"}, "It begins with https://"),
        ({"PORTAL_URL": "https://"}, "It begins with https://"),
        ({"PORTAL_URL": "https://[::1"}, "It begins with https://"),
        ({"SECRET_KEY": ""}, "Set SECRET_KEY"),
        ({"SECRET_KEY": "a"}, "Set SECRET_KEY"),
        ({"SECRET_KEY": "a" * 60}, "Set SECRET_KEY"),
        ({"SECRET_KEY": DEMO_KEY}, "Set SECRET_KEY"),
        ({"DEBUG": "true"}, "Take DEBUG away"),
        ({"OIDC_ISSUER": ""}, "Nobody could sign in: set OIDC_ISSUER"),
        ({"OIDC_ISSUER": "http://sso.example"}, "must be an https:// address"),
        ({"OIDC_ISSUER": "sso.example"}, "must be an https:// address"),
        ({"OIDC_ISSUER": "https://[::1"}, "must be an https:// address"),
        ({"OIDC_CLIENT_ID": ""}, "Set OIDC_CLIENT_ID"),
        ({"OIDC_CLIENT_SECRET": ""}, "Set OIDC_CLIENT_SECRET"),
        ({"LOCAL_ACCOUNTS_ONLY": "true"}, "Take one of the two away"),
    ],
)
def test_what_is_lacking_is_said_with_its_variable(variables, words):
    with pytest.raises(ImproperlyConfigured, match=words):
        check(**variables)


@pytest.mark.parametrize("url", ["HTTPS://stagedoor.example/", "http://localhost:8000"])
def test_addresses_that_are_safe(url):
    check(PORTAL_URL=url)


@pytest.mark.parametrize("url", ["https://stagedoor.example", "HTTPS://stagedoor.example/"])
def test_cookies_are_secure_however_https_is_written(tmp_path: Path, url):
    variables = {**os.environ, "PYTHON_DOTENV_DISABLED": "1", **production(str(tmp_path))}
    code = "from portal import settings as s; print(s.SESSION_COOKIE_SECURE, s.PORTAL_URL)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=django_settings.BASE_DIR,
        env={**variables, "PORTAL_URL": url}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "True https://stagedoor.example\n"


def test_another_provider_or_local_accounts_alone_are_ways_in():
    nothing = {"OIDC_ISSUER": "", "OIDC_CLIENT_ID": "", "OIDC_CLIENT_SECRET": ""}
    check(("saml",), **nothing)
    check(LOCAL_ACCOUNTS_ONLY="true", **nothing)


@pytest.mark.parametrize("slug", ["github", "team", "idp-claim", "a:b", "SAML", "Team "])
@pytest.mark.parametrize("live", [True, False])
def test_no_provider_hands_out_groups_of_another_origin(slug, live):
    environ = {**WHOLE, "OIDC_ISSUER_SLUG": slug}
    with pytest.raises(ImproperlyConfigured, match="groups of another origin"):
        check_way_in(production=live, doors=(), environ=environ)


@pytest.mark.parametrize("missing", ["PORTAL_URL", "OIDC_ISSUER", ""])
def test_the_portal_does_not_start_without(tmp_path: Path, missing):
    variables = {**os.environ, "PYTHON_DOTENV_DISABLED": "1", **production(str(tmp_path))}
    for name in (missing, "DJANGO_ALLOW_ASYNC_UNSAFE"):  # the latter is for browser tests
        variables.pop(name, None)
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(
        command, cwd=django_settings.BASE_DIR, env=variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == (not missing), done.stderr
    assert missing in done.stderr


@pytest.mark.django_db
def test_a_portal_of_local_accounts_offers_no_provider(client: Client, settings):
    settings.OIDC_OP_ISSUER = ""
    page = client.get("/signin/?next=/account/").content.decode()
    assert "/oidc/authenticate/" not in page
    assert 'class="button button--primary" href="/accounts/login/?next=%2Faccount%2F"' in page
    onward = client.get("/oidc/authenticate/?next=/account/")
    assert onward["Location"].startswith("/signin/")
