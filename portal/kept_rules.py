"""By which settings a sign-in was read, kept with what arrived: settings change, sign-ins do not.

So the claims inspector says what became of that sign-in then, and what today's settings would make
of it.
"""

from dataclasses import replace
from typing import Any

from django.conf import settings

from portal.group_claims import GroupRules
from portal.models import Identity

# What is kept -> the setting it comes from.
SETTINGS = {
    "slug": "OIDC_ISSUER_SLUG",
    "claim": "OIDC_GROUPS_CLAIM",
    "separator": "OIDC_GROUPS_SEPARATOR",
    "form": "OIDC_GROUPS_FORMAT",
    "maximum": "OIDC_GROUPS_MAX",
    "claims": "OIDC_CLAIM_GROUPS",
    "user_ref": "OIDC_USER_REF_CLAIM",
}


def todays_rules() -> GroupRules:
    """How the claims of the OIDC provider are read, by the settings."""
    return GroupRules(
        slug=settings.OIDC_ISSUER_SLUG,
        claim=settings.OIDC_GROUPS_CLAIM,
        separator=settings.OIDC_GROUPS_SEPARATOR,
        form=settings.OIDC_GROUPS_FORMAT,
        maximum=settings.OIDC_GROUPS_MAX,
        names=settings.OIDC_GROUP_NAMES,
        claims=tuple(settings.OIDC_CLAIM_GROUPS),
    )


def kept_rules() -> dict[str, Any]:
    """Today's, as they are stored with a sign-in; names of groups only say how they are shown."""
    return {name: getattr(settings, setting) for name, setting in SETTINGS.items()}


def rules_of(identity: Identity) -> GroupRules:
    """Those that the account's last sign-in was read by; today's where none were kept."""
    kept = {name: value for name, value in identity.rules.items() if name != "user_ref"}
    if not kept:
        return todays_rules()
    return replace(todays_rules(), **{**kept, "claims": tuple(kept["claims"])})


def user_ref_claim(identity: Identity) -> str:
    """Which claim then named the person in the catalog."""
    return str(identity.rules.get("user_ref", settings.OIDC_USER_REF_CLAIM))


def changed_since(identity: Identity) -> list[str]:
    """Each setting that is another by now, in words."""
    today = kept_rules()
    return [
        f"{SETTINGS[name]} was {_shown(value)} and is {_shown(today[name])} now"
        for name, value in identity.rules.items()
        if name in today and value != today[name]
    ]


def _shown(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"“{text}”" if text else "empty"
