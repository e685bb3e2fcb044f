"""What a signed assertion must say itself, whatever the unsigned answer around it says."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.socialaccount.internal.statekit import STATES_SESSION_KEY
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from portal.models import AuditEvent, Identity
from tests.portal.social import saml_idp
from tests.portal.social.saml_idp import assertion, response, signed
from tests.portal.social.test_saml import answered, asked, configure, signed_in

pytestmark = pytest.mark.django_db
PERSISTENT = "2.0:nameid-format:persistent"
TRANSIENT = "2.0:nameid-format:transient"
UNSPECIFIED = "1.1:nameid-format:unspecified"
EMAIL = "1.1:nameid-format:emailAddress"


@pytest.fixture(scope="module")
def key() -> saml_idp.Key:
    return saml_idp.new_key()


@pytest.fixture
def on_paper(settings: Any, key: saml_idp.Key) -> None:
    configure(settings, saml_idp.metadata(key))


def details() -> list[str]:
    failed = AuditEvent.objects.filter(action="signin.failed")
    return [event.data["detail"] for event in failed]


LACKING = {
    "its request": (' InResponseTo="[^"]*"', ""),
    "its place": (' Recipient="[^"]*"', ""),
    "the very place": (' Recipient="', ' Recipient="https://evil.example/?'),
    "its end": (' NotOnOrAfter="[^"]*" Recipient', " Recipient"),
    "an end while it is remembered": ('Or.*(?=" R)', 'OrAfter="2099-01-01T00:00:00Z'),
    "its audience": ("(?s)<saml:AudienceRestriction>.*</saml:AudienceRestriction>", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", LACKING)
def test_an_assertion_that_lacks_what_binds_it_signs_nobody_in(client, on_paper, key, what):
    request_id = asked(client)
    xml, changed = re.subn(*LACKING[what], assertion(request_id))
    assert changed == 1
    answered(client, response(request_id, signed(xml, key)))
    assert not signed_in(client)
    assert not User.objects.exists()
    assert details() == ["the assertion answers no request of this portal"]


def test_an_assertion_counts_once(client, on_paper, key):
    request_id = asked(client)
    xml = response(request_id, signed(assertion(request_id), key))
    again = Client()
    asked(again)
    session = again.session
    session[STATES_SESSION_KEY] = client.session[STATES_SESSION_KEY]  # as if it had asked that, too
    session.save()
    answered(client, xml)
    assert signed_in(client)
    answered(again, xml)
    assert not signed_in(again)
    assert details() == ["the assertion was sent before"]


SignIn = Callable[..., bool]


@pytest.fixture
def sign_in(settings: Any, key: saml_idp.Key) -> SignIn:
    """Tries to sign in by these settings; whether it succeeded. `number` is an attribute."""

    def sign_in(
        name_id: str = "mara-0001",
        form: str = PERSISTENT,
        number: list[str] | None = None,
        **environ: str,
    ) -> bool:
        configure(settings, saml_idp.metadata(key), **environ)
        browser = Client()
        request_id = asked(browser)
        xml = assertion(request_id, name_id=name_id).replace(PERSISTENT, form)
        if number is not None:
            values = "".join(f"<saml:AttributeValue>{one}</saml:AttributeValue>" for one in number)
            named = f'<saml:Attribute Name="number">{values}</saml:Attribute>'
            xml = xml.replace("</saml:AttributeStatement>", f"{named}</saml:AttributeStatement>")
        answered(browser, response(request_id, signed(xml, key)))
        return signed_in(browser)

    return sign_in


@pytest.mark.parametrize(
    ("asked_for", "counts"),
    [("", PERSISTENT), ("unspecified", UNSPECIFIED), ("emailAddress", EMAIL)],
)
def test_only_a_name_of_the_format_that_was_asked_for_counts(sign_in, asked_for, counts):
    found = [
        form
        for form in (PERSISTENT, TRANSIENT, UNSPECIFIED, EMAIL)
        if sign_in(form=form, SAML_NAMEID_FORMAT=asked_for)
    ]
    assert found == [counts]
    assert all("SAML_NAMEID_FORMAT" in detail for detail in details())


def test_a_name_that_passes_can_not_be_asked_for(sign_in):
    with pytest.raises(ImproperlyConfigured, match="SAML_NAMEID_FORMAT"):
        sign_in(SAML_NAMEID_FORMAT="transient")


def test_the_attribute_says_who_it_is_whatever_the_name_is(sign_in):
    for name_id in ("_1", "_2"):
        assert sign_in(name_id, TRANSIENT, ["1001"], SAML_SUBJECT_ATTRIBUTE="number")
    assert Identity.objects.get().subject == "1001"


@pytest.mark.parametrize(
    "number",
    [None, [], [""], [" "], ["1", "2"], [" 1001"], ["1001\u00a0"], ["1001\u202e"], ["x" * 300]],
)
def test_without_one_usable_value_no_name_stands_in_for_it(sign_in, number):
    assert sign_in("boss", number=["1001"], SAML_SUBJECT_ATTRIBUTE="number")
    assert not sign_in("1001", number=number, SAML_SUBJECT_ATTRIBUTE="number")
    assert Identity.objects.count() == 1
    assert "SAML_SUBJECT_ATTRIBUTE" in details()[0]


@pytest.mark.parametrize("name_id", ["x" * 192, "lena ", "\u00a0lena", "le\u202ena"])
def test_a_name_that_can_not_be_kept_as_it_is_is_refused(sign_in, name_id):
    assert not sign_in(name_id)
    assert not User.objects.exists()
    assert details()[0].startswith("the NameID is empty or too long")


def test_a_comment_in_a_signed_name_changes_nothing(client, on_paper, key):
    request_id = asked(client)
    xml = signed(assertion(request_id, name_id="lena-0001.evil.example"), key)
    answered(client, response(request_id, xml.replace("lena-0001.", "lena-0001<!-- -->.")))
    assert Identity.objects.get().subject == "lena-0001.evil.example"
