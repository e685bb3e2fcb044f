"""What every page's template knows without its view saying so."""

from django.http import HttpRequest

# view name -> the main link that is marked as current, where the namespace does not tell
SECTIONS = {
    "portal:home": "home",
    "catalog:team_list": "teams",
    "catalog:team_detail": "teams",
    "pipelines:approval_list": "approvals",
}
NAMESPACES = {"catalog": "catalog", "pipelines": "builds"}


def portal(request: HttpRequest) -> dict[str, str]:
    """`section`: which main link this page belongs to; empty for pages outside them."""
    match = request.resolver_match
    if match is None:
        return {"section": ""}
    return {"section": SECTIONS.get(match.view_name, NAMESPACES.get(match.namespace, ""))}
