"""Refuses to start where nobody could sign in, or where signing in would prove nothing.

Each refusal is a sentence that names the variable to set. A demo has defaults for all of them.
"""

import os
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from portal.env import env_bool, env_secret, env_str

# What groups of other origins begin with: a provider of that name could hand them out.
TAKEN = {"idp-claim", "saml", "github", "bitbucket", "scim", "team"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Everybody can read it in this project's source.
DEMO_KEY = "demo-only-key-" + "0" * 40
# As Django's own check has it, which only warns.
MIN_KEY, MIN_CHARACTERS = 50, 5


def check_way_in(
    *, production: bool, doors: Collection[str], environ: Mapping[str, str] = os.environ
) -> None:
    """Raises ImproperlyConfigured; `doors` are the other providers that are set up."""
    slug = env_str("OIDC_ISSUER_SLUG", "idp", environ)
    if slug.strip().lower() in TAKEN or ":" in slug or not slug:
        raise ImproperlyConfigured(
            f"OIDC_ISSUER_SLUG can't be {slug!r}: groups of another origin begin with it, or none "
            "could. Choose a word such as idp or okta."
        )
    problem = _problem(doors, environ) if production else ""
    if problem:
        raise ImproperlyConfigured(problem)


def _problem(doors: Collection[str], environ: Mapping[str, str]) -> str:
    """The first thing that a portal in production lacks; "" when it lacks nothing."""
    issuer = env_str("OIDC_ISSUER", "", environ)
    local_only = env_bool("LOCAL_ACCOUNTS_ONLY", False, environ)
    if problem := _insecure(environ):
        return problem
    if local_only and (issuer or doors):
        return (
            "LOCAL_ACCOUNTS_ONLY says that nobody signs in through a provider, and one is set up "
            "(OIDC_ISSUER, SAML, GitHub or Bitbucket). Take one of the two away."
        )
    if not (issuer or doors or local_only):
        return (
            "Nobody could sign in: set OIDC_ISSUER to your company's provider, or set up SAML, "
            "GitHub or Bitbucket. Where local accounts are all that is meant, set "
            "LOCAL_ACCOUNTS_ONLY=true."
        )
    return _problem_of_issuer(issuer, environ) if issuer else ""


def _insecure(environ: Mapping[str, str]) -> str:
    key = env_secret("SECRET_KEY", "", environ)
    if len(key) < MIN_KEY or len(set(key)) < MIN_CHARACTERS or key == DEMO_KEY:
        return (
            "Set SECRET_KEY (or SECRET_KEY_FILE) to 50 or more random characters: whoever guesses "
            "it signs in as anybody."
        )
    if env_bool("DEBUG", False, environ):
        return "Take DEBUG away: its error pages show settings and source code to everybody."
    if not _is_safe(env_str("PORTAL_URL", "", environ)):
        return (
            "Set PORTAL_URL to the address that people type, such as https://stagedoor.example: "
            "sign-in, links in mails and secure cookies depend on it. It begins with https://."
        )
    return ""


def _is_safe(url: str) -> bool:
    """An https:// address, or one that does not leave this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "http":
        return parts.hostname in LOOPBACK
    return parts.scheme == "https" and bool(parts.hostname)


def _problem_of_issuer(issuer: str, environ: Mapping[str, str]) -> str:
    if not _is_safe(issuer):
        return "OIDC_ISSUER must be an https:// address: who reads along could sign in as anybody."
    if not env_str("OIDC_CLIENT_ID", "", environ):
        return "Set OIDC_CLIENT_ID to the name of this portal's client at the provider."
    if not env_secret("OIDC_CLIENT_SECRET", "", environ):
        return "Set OIDC_CLIENT_SECRET (or OIDC_CLIENT_SECRET_FILE) to the client's secret."
    return ""
