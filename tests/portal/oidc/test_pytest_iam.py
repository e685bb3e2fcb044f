"""The portal against Canaille, an identity provider that somebody else wrote (pytest-iam)."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client

from portal.models import AuditEvent, Identity
from portal.process_cache import notes

pytestmark = pytest.mark.django_db
SECRET = "s" * 32
CALLBACK = "http://testserver/oidc/callback/"


@pytest.fixture
def registered(iam_server: Any) -> Any:
    """The portal's client at Canaille; without an audience its tokens would name none."""
    portal = iam_server.models.Client(
        client_id="portal",
        client_secret=SECRET,
        client_name="Stagedoor",
        redirect_uris=[CALLBACK],
        post_logout_redirect_uris=["http://testserver/signed-out/"],
        grant_types=["authorization_code"],
        response_types=["code"],
        token_endpoint_auth_method="client_secret_post",
        id_token_signed_response_alg="RS256",
        scope=["openid", "email", "profile", "groups"],
    )
    iam_server.backend.save(portal)
    portal.audience = [portal]
    iam_server.backend.save(portal)
    yield portal
    iam_server.backend.delete(portal)


@pytest.fixture
def mara(iam_server: Any, registered: Any) -> Iterator[Any]:
    user = iam_server.models.User(
        user_name="mara",
        emails=["mara@example.com"],
        given_name="Mara",
        family_name="Koch",
        formatted_name="Mara Koch",
        password="correct horse battery",
    )
    iam_server.backend.save(user)
    group = iam_server.models.Group(members=[user], display_name="payments-deployers")
    iam_server.backend.save(group)
    iam_server.login(user)
    iam_server.consent(user, registered)
    yield user
    iam_server.logout()
    iam_server.backend.delete(group)
    iam_server.backend.delete(user)


@pytest.fixture(autouse=True)
def _portal(iam_server: Any, settings: Any) -> Iterator[None]:
    notes.clear()
    settings.OIDC_OP_ISSUER = requests.get(
        f"{iam_server.url}.well-known/openid-configuration", timeout=10
    ).json()["issuer"]
    settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET = "portal", SECRET
    yield
    notes.clear()


def at_the_provider(client: Client) -> str:
    """What the portal asks and where the provider sends the browser back to."""
    asked = client.get("/oidc/authenticate/?next=/account/")["Location"]
    answer = requests.get(asked, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(CALLBACK)
    return answer.headers["Location"]


def test_the_code_flow_signs_in_with_name_address_and_groups(client, mara):
    response = client.get(at_the_provider(client))
    assert response["Location"] == "/account/"
    user = User.objects.get()
    assert (user.username, user.email) == ("mara", "mara@example.com")
    assert user.get_full_name() == "Mara Koch"
    assert list(user.groups.values_list("name", flat=True)) == ["idp:payments-deployers"]
    assert Identity.objects.get().groups == ["payments-deployers"]


def test_a_second_sign_in_finds_the_same_person_with_todays_groups(client, iam_server, mara):
    client.get(at_the_provider(client))
    for group in iam_server.backend.query(iam_server.models.Group):
        group.display_name = "renamed"
        iam_server.backend.save(group)
    other = Client()
    other.get(at_the_provider(other))
    assert list(User.objects.get().groups.values_list("name", flat=True)) == ["idp:renamed"]


def test_a_wrong_client_secret_ends_on_the_page(client, mara, settings):
    answer = at_the_provider(client)
    settings.OIDC_RP_CLIENT_SECRET = "wrong"
    assert client.get(answer)["Location"] == "/signin/failed/"
    assert AuditEvent.objects.get().data["code"] == "code_refused"
    assert "wrong" not in str(AuditEvent.objects.values_list("data"))


def test_a_session_is_renewed_without_the_person(client, mara):
    client.get(at_the_provider(client))
    session = client.session
    session["oidc_id_token_expiration"] = 1
    session.save()
    asked = client.get("/account/")["Location"]
    assert "prompt=none" in asked
    answer = requests.get(asked, allow_redirects=False, timeout=10)
    assert client.get(answer.headers["Location"])["Location"] == "/account/"
    assert client.get("/account/").status_code == 200


def test_who_has_signed_out_at_the_provider_is_signed_out_here(client, iam_server, mara):
    client.get(at_the_provider(client))
    iam_server.logout()
    session = client.session
    session["oidc_id_token_expiration"] = 1
    session.save()
    asked = client.get("/account/")["Location"]
    answer = requests.get(asked, allow_redirects=False, timeout=10).headers["Location"]
    assert "error=login_required" in answer
    assert client.get(answer)["Location"] == "/signin/?next=%2Faccount%2F"
    assert "_auth_user_id" not in client.session


def test_only_the_algorithm_that_is_set_is_accepted(client, iam_server, registered, mara, settings):
    registered.id_token_signed_response_alg = "RS512"
    iam_server.backend.save(registered)
    assert client.get(at_the_provider(client))["Location"] == "/signin/failed/"
    assert "RS512" in AuditEvent.objects.get().data["detail"]
    settings.OIDC_RP_SIGN_ALGO = "RS512"
    assert client.get(at_the_provider(client))["Location"] == "/account/"
