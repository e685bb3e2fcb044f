"""What the library leaves open about the answer of a SAML provider, and this portal does not.

The Response around an assertion may be unsigned, so whoever holds an assertion writes it anew. Only
what the signed assertion itself says counts: for whom it was made, in answer to which request, who
the person is. Loaded where SAML is configured only: the library takes 16 MB.
"""

from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from portal import inbox
from portal.signin_failure import SignInFailure
from portal.social.configuration import NAMEID_FORMATS, SAML

RECEIVER = "portal:saml"
MAX_SUBJECT = 191  # of allauth's SocialAccount.uid
CONFIRMED_BY = (
    "/saml:Subject/saml:SubjectConfirmation[@Method='urn:oasis:names:tc:SAML:2.0:cm:bearer']"
    "/saml:SubjectConfirmationData"
)
ATTRIBUTES = "/saml:AttributeStatement/saml:Attribute"
VALUE = "{urn:oasis:names:tc:SAML:2.0:assertion}AttributeValue"


class Answer(OneLogin_Saml2_Response):  # type: ignore[misc]
    """Named by the library's `response_class`."""

    def is_valid(self, *args: Any, **kwargs: Any) -> bool:
        """Also raises SignInFailure, for what is validly signed and still proves nothing here."""
        if not super().is_valid(*args, **kwargs):
            return False
        if not self._was_made_for_us():
            raise self._failure("token_refused", "the assertion answers no request of this portal")
        self._check_subject()
        # SAML 2.0 Profiles, section 4.1.4.5. Its one request is good for one sign-in anyway.
        if not inbox.take_once(RECEIVER, self.get_assertion_id(), "sign-in", timezone.now()):
            raise self._failure("token_refused", "the assertion was sent before")
        return True

    def get_attributes(self) -> dict[str, list[str]]:
        """As the library's, which trims: a group " admins" would become "admins"."""
        found: dict[str, list[str]] = {}
        for attribute in self._query_assertion(ATTRIBUTES):
            values = map(OneLogin_Saml2_XML.element_text, attribute.iterchildren(VALUE))
            found.setdefault(attribute.get("Name"), []).extend(filter(None, values))
        return found

    def _was_made_for_us(self) -> bool:
        """What a bearer's assertion must say (SAML 2.0 Profiles, section 4.1.4.2).

        The library looks at each of these only where it is there.
        """
        asked = self.get_in_response_to()
        here = self._settings.get_sp_data()["assertionConsumerService"]["url"]
        return bool(asked and self.get_audiences()) and any(
            data.get("InResponseTo") == asked
            and data.get("Recipient") == here
            and _lasts(data.get("NotOnOrAfter"))
            for data in self._query_assertion(CONFIRMED_BY)
        )

    def _check_subject(self) -> None:
        """Raises SignInFailure where it isn't certain who the person is, today and next year."""
        attribute = self._settings.get_idp_data()["subject"]
        if attribute:
            values = self.get_attributes().get(attribute, [])
            name = f'the attribute "{attribute}" (SAML_SUBJECT_ATTRIBUTE)'
        else:
            values, name = [self.get_nameid()], "the NameID"
            asked = self._settings.get_sp_data()["NameIDFormat"]
            if (self.get_nameid_format() or NAMEID_FORMATS["unspecified"]) != asked:
                words = f"the NameID has another format than {asked} (SAML_NAMEID_FORMAT)"
                raise self._failure("provider_misconfigured", words)
        if len(values) != 1:
            words = f"{name} arrived with {len(values)} values in place of one"
            raise self._failure("provider_misconfigured", words)
        value = values[0]
        if not value.isprintable() or value != value.strip() or not 0 < len(value) <= MAX_SUBJECT:
            words = (
                f"{name} is empty or too long, or has spaces around it or unprintable characters"
            )
            raise self._failure("provider_misconfigured", words)

    def _failure(self, code: str, detail: str) -> SignInFailure:
        return SignInFailure(code, detail, provider=settings.SIGNIN_DOORS[SAML].label)


def _lasts(until: str | None) -> bool:
    """Whether it has not ended, and will have before its use here is forgotten."""
    end, now = parse_datetime(until or ""), timezone.now()
    return bool(end and end.tzinfo and now < end <= now + inbox.KEPT_FOR)
