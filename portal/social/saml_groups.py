"""The groups of a SAML assertion, read when somebody signs in and shown when they look."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from portal.group_claims import GroupRules, Groups, read_groups
from portal.social.configuration import ENTRA_GROUPS, SAML


def groups_attribute(told: Mapping[str, Any]) -> str:
    """The configured one; where only Entra's own arrived, that."""
    named = str(settings.SAML_GROUPS_ATTRIBUTE)
    return ENTRA_GROUPS if told.get(ENTRA_GROUPS) and not told.get(named) else named


def saml_groups(told: Mapping[str, Any]) -> Groups:
    """Each value with what became of it; `told` are the attributes as they arrived."""
    name = groups_attribute(told)
    return read_groups({name: told.get(name, [])}, GroupRules(slug=SAML, claim=name, maximum=0))
