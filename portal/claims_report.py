"""What arrived when a person signed in, what each part of it became here, and why.

For the person's own account page and for administrators. It is read from what was kept of the last
sign-in, by the settings of that sign-in; what today's would make of it stands beside it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from portal.group_claims import Arrived, Groups, read_groups
from portal.identities import prefix
from portal.kept_rules import changed_since, rules_of, todays_rules, user_ref_claim
from portal.models import Identity, RoleMapping, UserLink
from portal.social.configuration import SAML_ISSUER
from portal.social.saml_groups import groups_attribute, saml_groups

MAX_SHOWN = 300
TIMES = ("exp", "iat", "nbf", "auth_time", "updated_at")
CHECKED, PASSING = "checked, and no more", "of that sign-in only"
# claim -> what it is here; those that depend on settings are in _became().
BECAME = {
    "iss": "which provider it was; with sub, who the person is",
    "sub": "who the person is, at this provider",
    "name": "the name, where the two parts of it did not come",
    "given_name": "the name",
    "family_name": "the name",
    "email": "the e-mail address, for messages; it never decides who somebody is",
    "preferred_username": "the user name, at the first sign-in",
    **dict.fromkeys(("aud", "azp", "exp", "iat", "nbf", "nonce"), CHECKED),
    **dict.fromkeys(("at_hash", "c_hash", "s_hash", "jti", "auth_time"), PASSING),
    "sid": "lets the provider end this session",
    "hasgroups": "a pointer in place of the groups, where these did not come",
    "_claim_names": "a pointer to claims that did not come",
    "_claim_sources": "never followed: a token does not say whom to ask",
}


@dataclass(frozen=True)
class ClaimRow:
    """One claim: as it arrived, and what it became."""

    name: str
    value: str
    became: str  # "" where nothing here reads it


@dataclass(frozen=True)
class GroupRow:
    """One group as it arrived, and the mappings that use it."""

    arrived: Arrived
    mappings: tuple[RoleMapping, ...] = ()
    opens_admin: bool = False
    pending: bool = False  # today's settings read it; the last sign-in did not
    today: str = ""  # what today's settings make of it, where that is something else

    @property
    def used(self) -> bool:
        return not self.pending and (bool(self.mappings) or self.opens_admin)


@dataclass(frozen=True)
class Report:
    """Everything of one account at one provider."""

    identity: Identity
    provider: str
    claims: list[ClaimRow]
    groups: list[GroupRow]
    groups_claim: str
    note: str  # of the groups as a whole, where they are complete
    mend: str  # what an administrator can do where they are not
    changed: list[str]  # settings that are others by now
    kept: bool  # whether the settings of that sign-in are known

    @property
    def arrived(self) -> int:
        return sum(1 for row in self.groups if not row.pending)

    @property
    def used(self) -> int:
        return sum(1 for row in self.groups if row.used)

    @property
    def left_out(self) -> int:
        return sum(1 for row in self.groups if row.arrived.left_out and not row.pending)


def report_of(identity: Identity) -> Report:
    """What this account's last sign-in brought."""
    oidc = _is_oidc(identity)
    groups = _groups_of(identity)
    changed = changed_since(identity) if oidc else []
    today = read_groups(identity.claims, todays_rules()) if changed else groups
    return Report(
        identity=identity,
        provider=provider_name(identity),
        claims=sorted((_claim_row(identity, name) for name in identity.claims), key=_weight),
        groups=sorted(_group_rows(groups.arrived, today.arrived), key=_order),
        groups_claim=_groups_claim(identity),
        note=groups.why if groups.complete else "",
        mend=groups.mend,
        changed=changed,
        kept=bool(identity.rules) or not oidc,
    )


def _is_oidc(identity: Identity) -> bool:
    return identity.issuer == settings.OIDC_OP_ISSUER


def _is_saml(identity: Identity) -> bool:
    return identity.issuer.startswith(SAML_ISSUER)


def _groups_claim(identity: Identity) -> str:
    if _is_oidc(identity):
        return rules_of(identity).claim
    return groups_attribute(identity.claims) if _is_saml(identity) else "groups"


def provider_name(identity: Identity) -> str:
    """As people know it; its address where it is none of those that are set up."""
    if _is_oidc(identity):
        return str(settings.OIDC_ISSUER_NAME)
    doors = settings.SIGNIN_DOORS.values()
    return next((door.label for door in doors if door.issuer == identity.issuer), identity.issuer)


def _groups_of(identity: Identity) -> Groups:
    if _is_oidc(identity):
        return read_groups(identity.claims, rules_of(identity)) if identity.claims else Groups()
    if _is_saml(identity):
        return saml_groups(identity.claims)
    doors = settings.SIGNIN_DOORS.values()
    begins = next((door.prefix for door in doors if door.issuer == identity.issuer), "")
    return Groups(tuple(Arrived("groups", name, begins + name, name) for name in identity.groups))


def _group_rows(arrived: Iterable[Arrived], today: Iterable[Arrived]) -> list[GroupRow]:
    """Those of that sign-in, then what only today's settings read."""
    then = {(one.claim, one.sent): one for one in arrived}
    now = {(one.claim, one.sent): one for one in today}
    rows = [*then.values(), *(one for key, one in now.items() if key not in then)]
    mappings: dict[str, list[RoleMapping]] = {}
    wanted = {one.group for one in rows if one.group}
    for mapping in RoleMapping.objects.filter(group__in=wanted).select_related("role"):
        mappings.setdefault(mapping.group, []).append(mapping)
    admins = {prefix() + name for name in settings.OIDC_ADMIN_GROUPS} | {*settings.ADMIN_GROUPS}
    return [
        GroupRow(
            one,
            tuple(mappings.get(one.group, ())),
            one.group in admins,
            (one.claim, one.sent) not in then,
            _today(one, now.get((one.claim, one.sent))),
        )
        for one in rows
    ]


def _today(then: Arrived, now: Arrived | None) -> str:
    if now is None:
        return "nothing"
    return "" if now.group == then.group else now.group or "nothing"


def _weight(row: ClaimRow) -> tuple[bool, bool, str]:
    """What became something first, what any token has last."""
    return (row.became in (CHECKED, PASSING), not row.became, row.name)


def _order(row: GroupRow) -> tuple[bool, bool, str]:
    """Those that give something, then those that were left out, then the others by name."""
    return (not row.used, not row.arrived.left_out, row.arrived.label.lower())


def _claim_row(identity: Identity, name: str) -> ClaimRow:
    value = identity.claims[name]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if name in TIMES and isinstance(value, int) and 0 < value < 1 << 33:
        text += f" ({datetime.fromtimestamp(value, UTC):%-d %b %Y, %H:%M:%S} UTC)"
    if len(text) > MAX_SHOWN:
        text = f"{text[:MAX_SHOWN]}… ({len(text):,} characters)"
    return ClaimRow(name, text, _became(identity, name))


def _became(identity: Identity, name: str) -> str:
    if not _is_oidc(identity):
        return "groups, as above" if name == _groups_claim(identity) else BECAME.get(name, "")
    rules = rules_of(identity)
    if _is_or_holds(identity.claims, name, rules.claim):
        return "groups, as above"
    if any(_is_or_holds(identity.claims, name, claim) for claim in rules.claims):
        return "a group, as above"
    if name == user_ref_claim(identity):
        link = UserLink.objects.filter(user=identity.user).first()
        return f"the person in the catalog: {link.user_ref}" if link else "no person in the catalog"
    return BECAME.get(name, "")


def _is_or_holds(claims: dict[str, Any], name: str, path: str) -> bool:
    return name == path or (path.startswith(f"{name}.") and path not in claims)
