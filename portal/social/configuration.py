"""Reads from the environment which of SAML, GitHub and Bitbucket people may sign in through.

Each is off until it is configured, and none opens to the whole world: GitHub and Bitbucket have
accounts of everybody, so an organisation or a workspace must be named.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from portal.env import env_choice, env_list, env_secret, env_str

Environ = Mapping[str, str]
# Session key: through which provider a session came, and when that is asked again.
DOOR_KEY = "signin_door"
SAML, GITHUB, BITBUCKET = "saml", "github", "bitbucket_oauth2"
# What a SAML provider's name begins with in Identity.issuer.
SAML_ISSUER = "saml:"
# In addresses that the SAML provider is told: /accounts/saml/company/acs/.
SAML_ORGANISATION = "company"
# Loaded where there is metadata to parse: it takes 16 MB.
METADATA_PARSER = "onelogin.saml2.idp_metadata_parser.OneLogin_Saml2_IdPMetadataParser"
# Attribute names of Okta (as one enters them), Entra, Google, Keycloak and the eduPerson ones.
_WS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
ATTRIBUTES = {
    "email": ["email", "mail", f"{_WS}emailaddress", "urn:oid:0.9.2342.19200300.100.1.3"],
    "first_name": ["given_name", "givenName", "firstName", f"{_WS}givenname", "urn:oid:2.5.4.42"],
    "last_name": ["family_name", "sn", "lastName", f"{_WS}surname", "urn:oid:2.5.4.4"],
    "username": ["preferred_username", "username", "uid", f"{_WS}name"],
}
# What a NameID can be (SAML 2.0 Core, section 8.3), for SAML_NAMEID_FORMAT. One that changes with
# each sign-in (transient) identifies nobody.
NAMEID_FORMATS = {
    "persistent": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "unspecified": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
    "emailAddress": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
}
# What Entra sends where the attribute's name was left as it is.
ENTRA_GROUPS = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"


@dataclass(frozen=True)
class Door:
    """One way in, as the sign-in page shows it."""

    provider: str  # allauth's id of it
    label: str
    url_name: str
    url_args: tuple[str, ...] = ()
    prefix: str = ""  # what its groups' names begin with
    issuer: str = ""  # in Identity.issuer
    # Organisations or workspaces, one of which a person must belong to; empty: no such thing.
    members_of: tuple[str, ...] = ()


def doors(environ: Environ = os.environ) -> dict[str, Door]:
    """provider -> its door. Raises ImproperlyConfigured on what is half configured."""
    found = (_saml_door(environ), _github_door(environ), _bitbucket_door(environ))
    return {door.provider: door for door in found if door is not None}


def provider_settings(doors: Mapping[str, Door], environ: Environ = os.environ) -> dict[str, Any]:
    """SOCIALACCOUNT_PROVIDERS for the doors that are open."""
    settings: dict[str, Any] = {}
    if SAML in doors:
        settings[SAML] = _saml(environ)
    if GITHUB in doors:
        settings[GITHUB] = {
            "APPS": [
                {
                    "client_id": env_str("GITHUB_CLIENT_ID", environ=environ),
                    "secret": _secret(env_secret("GITHUB_CLIENT_SECRET", environ=environ), GITHUB),
                }
            ],
            "SCOPE": ["read:user", "read:org"],
            "GITHUB_URL": doors[GITHUB].issuer,
            "OAUTH_PKCE_ENABLED": True,
        }
    if BITBUCKET in doors:
        secret = env_secret("BITBUCKET_CLIENT_SECRET", environ=environ)
        client_id = env_str("BITBUCKET_CLIENT_ID", environ=environ)
        settings[BITBUCKET] = {
            "APPS": [{"client_id": client_id, "secret": _secret(secret, "bitbucket")}],
            "SCOPE": ["account"],
        }
    return settings


def _secret(value: str, provider: str) -> str:
    if value:
        return value
    name = f"{provider.upper()}_CLIENT_SECRET"
    raise ImproperlyConfigured(f"Set {name} (or {name}_FILE).")


def _github_door(environ: Environ) -> Door | None:
    if not env_str("GITHUB_CLIENT_ID", environ=environ):
        return None
    organisations = env_list("GITHUB_ORGANISATIONS", environ=environ)
    if not organisations:
        raise ImproperlyConfigured(
            "Set GITHUB_ORGANISATIONS: without it everybody with a GitHub account could sign in."
        )
    return Door(
        GITHUB,
        "GitHub",
        "github_login",
        prefix="github:",
        issuer=env_str("GITHUB_URL", "https://github.com", environ).rstrip("/"),
        members_of=tuple(organisation.lower() for organisation in organisations),
    )


def _bitbucket_door(environ: Environ) -> Door | None:
    if not env_str("BITBUCKET_CLIENT_ID", environ=environ):
        return None
    workspaces = env_list("BITBUCKET_WORKSPACES", environ=environ)
    if not workspaces:
        raise ImproperlyConfigured(
            "Set BITBUCKET_WORKSPACES: without it everybody with an Atlassian account could "
            "sign in."
        )
    return Door(
        BITBUCKET,
        "Bitbucket",
        "bitbucket_oauth2_login",
        prefix="bitbucket:",
        issuer="https://bitbucket.org",
        members_of=tuple(workspace.lower() for workspace in workspaces),
    )


def _saml_door(environ: Environ) -> Door | None:
    if not env_secret("SAML_METADATA", environ=environ):
        return None
    return Door(
        SAML,
        env_str("SAML_NAME", "your company account", environ),
        "saml_login",
        (SAML_ORGANISATION,),
        prefix="saml:",
        # One Keycloak realm has the same name as issuer and as entity id, and other subjects.
        issuer=SAML_ISSUER + _metadata(environ)["entityId"],
    )


def _saml(environ: Environ) -> dict[str, Any]:
    idp = _metadata(environ)
    subject = env_str("SAML_SUBJECT_ATTRIBUTE", environ=environ)
    nameid = env_choice("SAML_NAMEID_FORMAT", (*NAMEID_FORMATS,), environ)
    return {
        "APPS": [
            {
                "provider_id": idp["entityId"],
                "client_id": SAML_ORGANISATION,
                "name": env_str("SAML_NAME", "your company account", environ),
                "settings": {
                    "attribute_mapping": ATTRIBUTES | ({"uid": subject} if subject else {}),
                    "idp": {
                        "entity_id": idp["entityId"],
                        "sso_url": idp["singleSignOnService"]["url"],
                        "x509cert": idp["certificates"][0],
                        "certificates": idp["certificates"],  # for saml_views.py
                        "subject": subject,
                    },
                    # The assertion is what is believed, so it is what must be signed.
                    "advanced": {
                        "strict": True,
                        "want_assertion_signed": True,
                        "want_name_id": True,
                        # Where an attribute says who it is, nobody reads the NameID.
                        "name_id_format": NAMEID_FORMATS["unspecified" if subject else nameid],
                        "reject_idp_initiated_sso": True,
                        "reject_deprecated_algorithm": True,
                        "allow_repeat_attribute_name": True,
                        "allow_single_label_domains": True,  # names of a private network
                    },
                },
            }
        ]
    }


def _metadata(environ: Environ) -> dict[str, Any]:
    """The identity provider's part of its metadata document: entity id, address, certificates."""
    text = env_secret("SAML_METADATA", environ=environ)
    try:
        idp: dict[str, Any] = import_string(METADATA_PARSER).parse(text)["idp"]
        # During a change of keys there are two, and either may sign.
        certificates = idp.get("x509certMulti", {}).get("signing") or [idp["x509cert"]]
        return {
            "entityId": idp["entityId"],
            "singleSignOnService": {"url": idp["singleSignOnService"]["url"]},
            "certificates": certificates,
        }
    except Exception:  # the parser lets whatever its XML library raises through
        raise ImproperlyConfigured(
            "SAML_METADATA (or the file that SAML_METADATA_FILE names) is not the metadata "
            "document of a SAML identity provider with a certificate and an address to sign in at."
        ) from None
