"""Sign-in by SAML 2.0: against npm's samlp over HTTP, and against answers that somebody forged."""

import base64
import re
import time
import zlib
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client

from portal import recent_signin
from portal.models import AuditEvent, Identity, UserSession
from portal.process_cache import notes
from portal.social import saml_views
from portal.social.configuration import DOOR_KEY, doors, provider_settings
from tests.portal.social import saml_idp
from tests.portal.social.saml_idp import assertion, encoded, response, signed

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/saml/company/login/?next=/teams/"
ACS = "/accounts/saml/company/acs/"
# The adapter of allauth reads the host from the request.
HOST = {"HTTP_HOST": "testserver"}


@pytest.fixture(scope="module")
def key() -> saml_idp.Key:
    return saml_idp.new_key()


def configure(settings: Any, metadata: str, **more: str) -> None:
    environ = {"SAML_METADATA": metadata, "SAML_NAME": "Acme SSO", **more}
    settings.SIGNIN_DOORS = doors(environ)
    settings.SOCIALACCOUNT_PROVIDERS = provider_settings(settings.SIGNIN_DOORS, environ)
    settings.ROOT_URLCONF = "tests.portal.social.urls"


@pytest.fixture
def on_paper(settings: Any, key: saml_idp.Key) -> None:
    configure(settings, saml_idp.metadata(key))


def asked(client: Client) -> str:
    """Begins a sign-in; the id of the request that the portal sent."""
    answer = client.get(LOGIN, **HOST)
    query = parse_qs(urlsplit(answer["Location"]).query)
    xml = zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -15).decode()
    return re.search(r'\bID="([^"]+)"', xml)[1]


def answered(client: Client, xml: str) -> Any:
    """Posts the answer as a browser does, and goes on to where the portal leads."""
    posted = client.post(ACS, {"SAMLResponse": encoded(xml)}, **HOST)
    assert posted.status_code == 302
    return client.get(posted["Location"], **HOST)


def ask_again(client: Client) -> None:
    session = client.session
    session[recent_signin.ASKED_KEY] = time.time()
    session.save()


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.mark.node
def test_a_person_signs_in_through_a_real_provider(client, settings, key):
    with saml_idp.running(key) as metadata:
        configure(settings, metadata)
        assert "Continue with Acme SSO" in client.get("/signin/").content.decode()
        sent = client.get(LOGIN, **HOST)
        page = requests.get(sent["Location"], timeout=10).text
    fields = dict(re.findall(r'name="(\w+)"\s+value="([^"]*)"', page))
    posted = client.post(ACS, {name: unescape(value) for name, value in fields.items()}, **HOST)
    answer = client.get(posted["Location"], **HOST)
    assert (answer.status_code, answer["Location"]) == (302, "/teams/")
    user = User.objects.get(identities__subject="mara-0001")
    assert (user.get_full_name(), user.email) == ("Mara Koch", "mara@example.com")
    groups = sorted(user.groups.values_list("name", flat=True))
    assert groups == ["saml:payments", "saml:payments-deployers"]
    assert "saml" in AuditEvent.objects.get(action="signin").data["how"]


def test_who_is_to_sign_in_again_is_asked_by_the_provider(client, on_paper, key):
    xml = signed(assertion(asked(client)), key)
    answered(client, response(_asked_by(xml), xml))
    assert recent_signin.AT_KEY not in client.session
    xml = signed(assertion(asked(client)), key)
    ask_again(client)
    answered(client, response(_asked_by(xml), xml))
    assert recent_signin.AT_KEY not in client.session  # the provider was not told to ask
    ask_again(client)
    page = client.get("/signin/again/").content.decode()
    assert "Sign in through Acme SSO" in page
    assert "/accounts/saml/company/login/?next=%2Faccount%2F" in page
    query = parse_qs(urlsplit(client.get(LOGIN, **HOST)["Location"]).query)
    sent = zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -15).decode()
    assert 'ForceAuthn="true"' in sent
    xml = signed(assertion(re.search(r'\bID="([^"]+)"', sent)[1]), key)
    assert answered(client, response(_asked_by(xml), xml))["Location"] == "/teams/"
    assert client.session[recent_signin.AT_KEY] > 0


def test_the_same_subject_is_the_same_person_and_groups_are_replaced(client, on_paper, key):
    for groups in (("a", "b"), ("b", "c")):
        browser = Client()
        xml = signed(assertion(asked(browser), groups=groups), key)
        answered(browser, response(_asked_by(xml), xml))
        assert signed_in(browser)
    user = User.objects.get()
    assert sorted(user.groups.values_list("name", flat=True)) == ["saml:b", "saml:c"]
    assert Identity.objects.get().issuer == "saml:https://idp.example/metadata"


def test_an_address_leads_into_nobodys_account(client, on_paper, key):
    boss = User.objects.create_user("boss", email="mara@example.com")
    xml = signed(assertion(asked(client)), key)
    answered(client, response(_asked_by(xml), xml))
    assert client.session["_auth_user_id"] != str(boss.pk)


def test_who_one_realm_calls_the_same_in_openid_connect_is_somebody_else(
    client, settings, on_paper, key
):
    """Keycloak's entity id of a realm is its issuer, letter by letter."""
    settings.OIDC_OP_ISSUER = "https://idp.example/metadata"
    lena = User.objects.create_user("lena")
    Identity.objects.create(issuer=settings.OIDC_OP_ISSUER, subject="mara-0001", user=lena)
    xml = signed(assertion(asked(client)), key)
    answered(client, response(_asked_by(xml), xml))
    assert signed_in(client)
    assert client.session["_auth_user_id"] != str(lena.pk)
    assert client.session[DOOR_KEY]["provider"] == "saml"
    assert UserSession.objects.get().issuer == "saml:https://idp.example/metadata"


def test_nobody_comes_into_a_group_by_a_space_around_its_name_and_reads_so(
    client, settings, on_paper, key
):
    settings.ADMIN_GROUPS = ["saml:admins"]
    sent = ("admins ", "\u00a0admins", "payments")
    xml = signed(assertion(asked(client), groups=sent), key)
    answered(client, response(_asked_by(xml), xml))
    user = User.objects.get()
    assert [group.name for group in user.groups.all()] == ["saml:payments"]
    assert not user.is_superuser
    page = " ".join(client.get("/account/claims/").content.decode().split())
    assert page.count("There is a space around it, so it is another name.") == 2
    assert "2 were left out" in page


FORGED = {
    "another key": lambda rid, key: signed(assertion(rid), saml_idp.new_key()),
    "no signature": lambda rid, key: assertion(rid),
    "another audience": lambda rid, key: signed(assertion(rid, audience="https://other"), key),
    "another issuer": lambda rid, key: signed(assertion(rid, issuer="https://other"), key),
    "expired": lambda rid, key: signed(assertion(rid, lasts=-1200), key),
    "another request": lambda rid, key: signed(assertion("_other"), key),
    "changed after signing": lambda rid, key: signed(assertion(rid), key).replace(
        "mara-0001", "lena-0001"
    ),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_assertion_signs_nobody_in(client, on_paper, key, how):
    request_id = asked(client)
    answer = answered(client, response(request_id, FORGED[how](request_id, key)))
    assert answer["Location"] == "/signin/failed/"
    assert not signed_in(client)
    assert "Acme SSO" in client.get("/signin/failed/").content.decode()


@pytest.mark.parametrize(("signer", "comes_in"), [(0, True), (1, True), (2, False)])
def test_while_the_provider_changes_its_key_both_count_and_no_third(
    client, settings, signer, comes_in
):
    keys = [saml_idp.new_key() for _ in range(3)]
    configure(settings, saml_idp.metadata(*keys[:2]))
    xml = signed(assertion(asked(client)), keys[signer])
    answered(client, response(_asked_by(xml), xml))
    assert signed_in(client) is comes_in


@pytest.mark.parametrize("place", ["before", "after", "inside the signature", "around"])
def test_signature_wrapping_signs_nobody_else_in(client, on_paper, key, place):
    request_id = asked(client)
    good = signed(assertion(request_id), key)
    evil = assertion(request_id, name_id="lena-0001", assertion_id="_evil")
    xml = {
        "before": response(request_id, evil, good),
        "after": response(request_id, good, evil),
        "inside the signature": response(
            request_id,
            evil.replace(
                "</saml:Subject>",
                f"</saml:Subject><ds:Object xmlns:ds='http://www.w3.org/2000/09/xmldsig#'>{good}"
                "</ds:Object>",
            ),
        ),
        "around": response(
            request_id, evil.replace("</saml:Assertion>", f"{good}</saml:Assertion>")
        ),
    }[place]
    answered(client, xml)
    assert not User.objects.filter(identities__subject="lena-0001").exists()


def test_an_answer_counts_in_its_own_browser_only(client, on_paper, key):
    request_id = asked(client)
    stranger = Client()
    asked(stranger)
    answered(stranger, response(request_id, signed(assertion(request_id), key)))
    assert not signed_in(stranger)
    page = stranger.get("/signin/failed/").content.decode()
    assert "This sign-in was not started in this browser" in page


def test_nobody_starts_a_sign_in_from_the_provider(client, on_paper, key):
    xml = signed(assertion(""), key).replace(' InResponseTo=""', "")
    answered(client, response("", xml).replace(' InResponseTo=""', ""))
    assert not signed_in(client)


def test_saml_finish_acs_shows_nonsense_on_a_page(client, on_paper):
    for value in ("", "%%%", encoded("<a"), encoded("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")):
        posted = client.post(ACS, {"SAMLResponse": value}, **HOST)
        page = client.get(posted["Location"], **HOST)
        assert page.status_code == 400
        assert "You are not signed in" in page.content.decode()


def test_a_deactivated_person_stays_outside(client, on_paper, key):
    user = User.objects.create_user("mara", is_active=False)
    issuer = "saml:https://idp.example/metadata"
    Identity.objects.create(issuer=issuer, subject="mara-0001", user=user)
    xml = signed(assertion(asked(client)), key)
    answered(client, response(_asked_by(xml), xml))
    assert not signed_in(client)


def _asked_by(xml: str) -> str:
    return re.search(r'InResponseTo="([^"]+)"', xml)[1]


def test_saml_sls_signs_nobody_out(client, on_paper, key):
    xml = signed(assertion(asked(client)), key)
    answered(client, response(_asked_by(xml), xml))
    assert client.get("/accounts/saml/company/sls/?SAMLRequest=x", **HOST).status_code == 404
    assert signed_in(client)


def test_saml_acs_keeps_neither_much_nor_often(client, on_paper, monkeypatch):
    assert client.post(ACS, {"SAMLResponse": "x" * 400_000}, **HOST).status_code == 413
    monkeypatch.setattr(saml_views, "MAX_A_MINUTE", 2)
    notes.clear()
    answers = [client.post(ACS, {"SAMLResponse": "x"}, **HOST).status_code for _ in range(4)]
    assert answers == [302, 302, 413, 413]
