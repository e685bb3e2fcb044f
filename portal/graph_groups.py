"""Groups that are too many for a sign-in at Entra, asked for at Microsoft Graph instead.

The address comes from the settings and never from the token's pointer: the request carries the
person's access token. Without an answer the groups stay incomplete, and the sign-in goes on.
"""

import logging
from typing import Any

from django.conf import settings

from portal.discovery import answer_json, ask_provider
from portal.group_claims import FROM_GRAPH, points_elsewhere
from portal.signin_failure import SignInFailure

logger = logging.getLogger(__name__)


def with_member_objects(claims: dict[str, Any], access_token: str) -> dict[str, Any]:
    """The claims, and what Graph knows of the person's groups where the claims only point there."""
    claims = {name: value for name, value in claims.items() if name != FROM_GRAPH}
    if not (settings.OIDC_GRAPH_URL and points_elsewhere(claims, settings.OIDC_GROUPS_CLAIM)):
        return claims
    try:
        return {**claims, FROM_GRAPH: member_objects(access_token)}
    except SignInFailure as failure:
        logger.warning("the groups of %s stay incomplete: %s", claims["sub"], failure.detail)
        return claims


def member_objects(access_token: str) -> list[str]:
    """The ids of all groups, directory roles and administrative units that the person is in.

    https://learn.microsoft.com/graph/api/directoryobject-getmemberobjects: allowed by User.Read,
    nested groups included, all at once; beyond 11,000 an error. Raises SignInFailure.
    """
    answer = ask_provider(
        "POST",
        f"{settings.OIDC_GRAPH_URL}/me/getMemberObjects",
        headers={"Authorization": f"Bearer {access_token}", "Accept": "application/json"},
        json={"securityEnabledOnly": False},
    )
    document = answer_json(answer, "Microsoft Graph")
    found = document.get("value")
    if not isinstance(found, list) or "@odata.nextLink" in document:
        raise SignInFailure("provider_down", "Microsoft Graph answered no whole list")
    return found
