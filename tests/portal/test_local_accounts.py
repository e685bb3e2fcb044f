"""Local accounts are no way into an account of the company."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from portal.models import Identity, ScimUser

pytestmark = pytest.mark.django_db
PASSWORD = "right-password-1"


@pytest.fixture
def ben():
    return User.objects.create_user("ben", password=PASSWORD)


def log_in(client: Client) -> str:
    answer = client.post("/accounts/login/", {"login": "ben", "password": PASSWORD})
    return answer["Location"] if "_auth_user_id" in client.session else ""


def test_a_local_account_signs_in(client, ben):
    assert log_in(client) == "/"


def test_who_has_an_identity_signs_in_through_the_company_only(client, ben):
    Identity.objects.create(issuer="https://idp.example", subject="1", user=ben)
    assert not log_in(client)


def test_whom_the_directory_made_does_before_their_first_sign_in_too(client, ben):
    ScimUser.objects.create(user=ben, user_name="ben", user_key="ben")
    assert not log_in(client)


@pytest.mark.parametrize("group", ["idp:deployers", "scim:deployers", "saml:deployers"])
def test_who_is_in_a_group_of_a_provider_does(client, ben, group):
    ben.groups.add(Group.objects.create(name=group))
    assert not log_in(client)
