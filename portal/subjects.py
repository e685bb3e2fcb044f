"""To whom a role mapping gives its role: the prefix of its group tells who says who is in it."""

from django.conf import settings

# prefix -> (who says it, what stands behind the prefix)
ORIGINS = {
    "idp-claim:": ("a claim of the identity provider", "department=payments"),
    "saml:": ("a SAML identity provider", "payments-deployers"),
    "github:": ("GitHub", "organisation/team"),
    "bitbucket:": ("Bitbucket", "workspace/group"),
    "scim:": ("SCIM", "payments-deployers"),
    "team:": ("the catalog", "group:default/payments"),
}


def origins() -> dict[str, tuple[str, str]]:
    """ORIGINS, and before them the groups of the OpenID Connect provider."""
    slug = f"{settings.OIDC_ISSUER_SLUG}:"
    return {slug: ("the identity provider", "payments-deployers"), **ORIGINS}


def people_of(group: str) -> str:
    """Those in it, as people know them: without who says so."""
    name = group.partition(":")[2] or group
    if group.startswith("team:"):
        return f"the team {name.rpartition('/')[2]}"
    return name


def subject_problem(group: str, teams: list[str]) -> str:
    """What is wrong with a mapping's group as it is written, "" if nothing is.

    `teams` are the refs of the catalog's groups; empty where nobody knows any.
    """
    known = origins()
    prefix = next((prefix for prefix in known if group.startswith(prefix)), "")
    if not prefix:
        first, (_, example) = next(iter(known.items()))
        others = ", ".join(f'"{other}"' for other in known if other != first)
        return (
            f'Groups of the identity provider begin with "{first}": write '
            f'"{first}{group.rpartition(":")[2] or example}". Others begin with {others}.'
        )
    name = group.removeprefix(prefix)
    says, example = known[prefix]
    if not name.strip():
        return f'Name one: what begins with "{prefix}" is said by {says}, e.g. "{prefix}{example}".'
    if prefix == "idp-claim:" and "" in name.partition("="):
        return f'Write the claim and its value, e.g. "{prefix}{example}".'
    if prefix == "team:" and teams and name not in teams:
        return f'The catalog has no team "{name}"; a team\'s subject is e.g. "{prefix}{teams[0]}".'
    return ""
