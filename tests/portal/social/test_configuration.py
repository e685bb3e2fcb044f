"""Which ways in are open, read from the environment; half a configuration opens none."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.social.configuration import doors, provider_settings
from tests.portal.social.saml_idp import metadata, new_key


def test_nothing_is_open_by_itself():
    assert doors({}) == {}


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"GITHUB_CLIENT_ID": "x"}, "GITHUB_ORGANISATIONS"),
        ({"BITBUCKET_CLIENT_ID": "x"}, "BITBUCKET_WORKSPACES"),
        ({"SAML_METADATA": "<a/>"}, "SAML_METADATA"),
        ({"SAML_METADATA": "nonsense"}, "SAML_METADATA"),
    ],
)
def test_what_is_half_configured_names_what_is_missing(environ, named):
    with pytest.raises(ImproperlyConfigured, match=named):
        doors(environ)


def test_a_client_without_its_secret_is_refused():
    environ = {"GITHUB_CLIENT_ID": "x", "GITHUB_ORGANISATIONS": "acme"}
    with pytest.raises(ImproperlyConfigured, match="GITHUB_CLIENT_SECRET"):
        provider_settings(doors(environ), environ)


def test_saml_takes_all_from_the_providers_metadata():
    environ = {"SAML_METADATA": metadata(new_key()), "SAML_SUBJECT_ATTRIBUTE": "employee"}
    app = provider_settings(doors(environ), environ)["saml"]["APPS"][0]
    assert app["settings"]["idp"]["sso_url"] == "https://idp.example/sso"
    assert app["settings"]["attribute_mapping"]["uid"] == "employee"
    assert app["settings"]["advanced"]["want_assertion_signed"] is True
