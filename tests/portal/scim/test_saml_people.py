"""SCIM where the company signs in by SAML: the same people, by the subject that SAML brings."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from portal.identities import create_user
from portal.models import Identity, ScimUser
from portal.social.configuration import Door
from tests.portal.scim.directory import Directory

pytestmark = pytest.mark.django_db
ISSUER = "saml:https://idp.limelight.example"


@pytest.fixture
def directory(settings: Any, directory: Directory) -> Directory:
    settings.OIDC_OP_ISSUER, settings.SCIM_SUBJECT = "", "userName"
    door = Door("saml", "Company", "saml_login", prefix="saml:", issuer=ISSUER)
    settings.SIGNIN_DOORS = {"saml": door}
    return directory


def test_scim_ends_who_signed_in_by_saml(directory: Directory) -> None:
    ana = create_user({"iss": ISSUER, "sub": "ana", "preferred_username": "ana"})
    made = directory.add("ana")
    assert ScimUser.objects.get().user == ana
    operation = {"op": "replace", "path": "active", "value": False}
    directory.patch(f"Users/{made['id']}", operation)
    assert not User.objects.get().is_active


def test_who_was_made_by_scim_is_known_to_saml(directory: Directory) -> None:
    directory.add("ana")
    assert Identity.objects.values_list("issuer", "subject").get() == (ISSUER, "ana")
