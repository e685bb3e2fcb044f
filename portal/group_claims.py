"""From an identity provider's claims to the names of groups, in every way that providers send them.

A list, one string, Keycloak's paths, a claim inside another, Entra's ids, Entra's pointer in place
of a list, Okta's list that ends at 100 without a word, no claim at all. What can't be read gives no
group, and whoever's groups may be incomplete is told so: policy then lets them read only.
Standard library only.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

MAX_NAME = 150  # auth.Group.name
# Of groups that are a claim's value, whatever the provider's own groups begin with.
CLAIM_PREFIX = "idp-claim:"
# What the sign-in adds when it asked Microsoft Graph; never a claim of the provider's.
FROM_GRAPH = "stagedoor:getMemberObjects"
ABSENT = object()

SEPARATORS = {"none": "", "comma": ",", "space": " "}
FORMATS = ("as-sent", "path", "name")
# Keycloak can escape a slash that belongs to a group's own name: "~/".
SLASH = re.compile(r"(?<!~)/")

POINTER = (
    "The identity provider sent a pointer in place of the groups, which are too many. Until all "
    "are known, only reading is allowed."
)
MEND_POINTER = (
    "Entra does so beyond 200 groups. An administrator can have only the groups sent that are "
    "assigned to this application, or have all of them asked for (OIDC_GRAPH_URL)."
)
CUT = (
    "Exactly {count} groups arrived, where some providers cut the list. Until it is certain that "
    "none is missing, only reading is allowed."
)
MEND_CUT = (
    "Okta cuts at 100 and does not say so. An administrator can filter the groups at the provider, "
    "or say that nothing is cut there (OIDC_GROUPS_MAX)."
)
NONE = (
    'No claim "{claim}" arrived: the provider has no groups to send (Google), or it is not set up '
    "to. Roles come from elsewhere, then: from the default role, the catalog's teams, or groups "
    "by SCIM."
)
NO_LIST = 'The claim "{claim}" is {kind} and no list of names; no group was read from it.'


@dataclass(frozen=True)
class GroupRules:
    """How the claims are read; each field is a setting."""

    slug: str = "idp"  # OIDC_ISSUER_SLUG
    claim: str = "groups"
    separator: str = "none"  # of a single string: a key of SEPARATORS
    form: str = "as-sent"  # what becomes of "/a/b": one of FORMATS
    maximum: int = 100  # a list as long as this may have been cut; 0: none is
    names: Mapping[str, str] = field(default_factory=dict)  # as sent -> as people know it
    claims: tuple[str, ...] = ()  # further claims whose values are groups

    @property
    def prefix(self) -> str:
        return f"{self.slug}:"


@dataclass(frozen=True)
class Arrived:
    """One value as it was sent, and the group that it became; or why it became none."""

    claim: str
    sent: str
    group: str = ""  # with its prefix; "" where it was left out
    label: str = ""  # as people know it
    left_out: str = ""


@dataclass(frozen=True)
class Groups:
    """All that arrived. `why` is a sentence where something has to be said of the whole, `mend`
    what an administrator can do about it."""

    arrived: tuple[Arrived, ...] = ()
    complete: bool = True
    why: str = ""
    mend: str = ""

    def names(self, prefix: str) -> list[str]:
        """The groups of one prefix, without it, sorted."""
        groups = {one.group for one in self.arrived if one.group.startswith(prefix)}
        return sorted(group.removeprefix(prefix) for group in groups)

    @property
    def left_out(self) -> int:
        return sum(1 for one in self.arrived if one.left_out)


def read_groups(claims: Mapping[str, Any], rules: GroupRules) -> Groups:
    """Every group that the claims name, by the rules."""
    further = chain.from_iterable(_of_claim(claims, name, rules) for name in rules.claims)
    asked = claims.get(FROM_GRAPH)
    if isinstance(asked, list):
        return Groups((*_arrived(asked, rules), *further))
    value = find(claims, rules.claim)
    if points_elsewhere(claims, rules.claim):
        items = value if isinstance(value, list) else []
        all_of_it = (*_arrived(items, rules), *further)
        return Groups(all_of_it, complete=False, why=POINTER, mend=MEND_POINTER)
    if value is ABSENT:
        return Groups(tuple(further), why=NONE.format(claim=rules.claim))
    if not isinstance(value, str | list):
        words = NO_LIST.format(claim=rules.claim, kind=_kind(value))
        return Groups(tuple(further), why=words)
    items = _split(value, rules.separator) if isinstance(value, str) else value
    cut = len(items) == rules.maximum > 0
    why, mend = (CUT.format(count=len(items)), MEND_CUT) if cut else ("", "")
    return Groups((*_arrived(items, rules), *further), complete=not cut, why=why, mend=mend)


def points_elsewhere(claims: Mapping[str, Any], claim: str) -> bool:
    """Whether the groups are too many to be sent: Entra's overage, in each of its shapes.

    As a distributed claim (OpenID Connect Core 1.0, section 5.6.2), as "hasgroups", and as a claim
    named "groups:src1".
    """
    elsewhere = claims.get("_claim_names")
    if isinstance(elsewhere, dict) and claim in elsewhere:
        return True
    if str(claims.get("hasgroups", "")).lower() == "true":
        return find(claims, claim) is ABSENT
    return any(name.startswith(f"{claim}:src") for name in claims)


def find(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that very name, else the one inside others: "realm_access.roles". Or ABSENT.

    Any name on the way may hold dots itself, as "https://example.com/groups" does.
    """
    if path in claims:
        return claims[path]
    for position, char in enumerate(path):
        inner = claims.get(path[:position]) if char == "." else None
        if isinstance(inner, dict):
            found = find(inner, path[position + 1 :])
            if found is not ABSENT:
                return found
    return ABSENT


def _of_claim(claims: Mapping[str, Any], name: str, rules: GroupRules) -> Iterator[Arrived]:
    """The values of a claim that counts as groups, as "department=payments"."""
    value = find(claims, name)
    items = value if isinstance(value, list) else [] if value in (ABSENT, None, "") else [value]
    for item in items:
        sent = _shown(item)
        problem = _problem(item, f"{name}={sent}", CLAIM_PREFIX)
        group = "" if problem else f"{CLAIM_PREFIX}{name}={sent}"
        yield Arrived(name, sent, group, f"{name}={sent}", problem)


def _arrived(items: list[Any], rules: GroupRules) -> Iterator[Arrived]:
    for item in items:
        sent = _shown(item)
        name = _formed(sent, rules.form)
        problem = _problem(item, name, rules.prefix)
        label = rules.names.get(sent) or rules.names.get(name) or name
        group = "" if problem else rules.prefix + name
        yield Arrived(rules.claim, sent, group, label, problem)


def _formed(sent: str, form: str) -> str:
    """A path in the form that is set; what does not begin with a slash is none."""
    if form == "as-sent" or not sent.startswith("/"):
        return sent
    parts = [part for part in SLASH.split(sent) if part]
    return "/".join(parts if form == "path" else parts[-1:])


def _problem(item: object, name: str, prefix: str) -> str:
    """Why this value can be no group; "" where it can."""
    if not isinstance(item, str):
        return f"It is {_kind(item)}, not a name."
    if not name or not item.strip():
        return "It is empty."
    if item != item.strip() or name != name.strip():
        return "There is a space around it, so it is another name."
    if not name.isprintable():
        return "It holds characters that can't be shown."
    longest = MAX_NAME - len(prefix)
    return f"It is longer than {longest} characters." if len(name) > longest else ""


def _split(value: str, separator: str) -> list[str]:
    """Nothing is trimmed: who may make groups at the provider must not come into another by a
    space. The one behind a comma belongs to the comma."""
    parts = value.split(SEPARATORS[separator]) if SEPARATORS[separator] else [value]
    names = [part.removeprefix(" ") for part in parts] if separator == "comma" else parts
    return [name for name in names if name]


def _shown(item: object) -> str:
    """As it stood in the JSON."""
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def _kind(value: object) -> str:
    """What JSON calls it, in words."""
    kinds = {bool: "true or false", int: "a number", float: "a number", dict: "an object"}
    if value is None:
        return "nothing"
    return kinds.get(type(value), "a list" if isinstance(value, list) else "text")
