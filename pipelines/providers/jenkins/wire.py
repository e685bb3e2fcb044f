"""Jenkins on the wire: Basic authentication, `tree=` queries and Jenkins' own refusals.

Jenkins answers errors with HTML pages; what they mean is told by status and headers.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.providers.errors import (
    Forbidden,
    Misconfigured,
    NotAuthorized,
    ProviderError,
    Rejected,
    Unavailable,
)
from pipelines.providers.jenkins.names import leads_away
from pipelines.providers.wire import Wire
from portal.credentials import Secret
from portal.http import HttpClient, Response

# Jenkins answers most writes with a redirect to the page of what was written to.
REDIRECTS = (301, 302, 303)
# Permissions as the header X-Required-Permission names them, and as Jenkins' pages do.
PERMISSIONS = {
    "hudson.model.Hudson.Read": "Overall/Read",
    "hudson.model.Item.Read": "Job/Read",
    "hudson.model.Item.Build": "Job/Build",
    "hudson.model.Item.Cancel": "Job/Cancel",
}


class JenkinsWire(Wire):
    """The API below the configured root URL, which may hold a context path."""

    label = "Jenkins"

    def __init__(self, http: HttpClient, base_url: str, credential: Secret) -> None:
        secret = credential.reveal()
        if ":" not in secret.strip(":"):
            raise Misconfigured(
                'A Jenkins credential has the form "user:token", with the user\'s API token; '
                "this one has no colon between the two."
            )
        basic = base64.b64encode(secret.encode()).decode()
        super().__init__(http, base_url, {"Authorization": f"Basic {basic}"})

    def tree(self, path: str, tree: str) -> Mapping[str, Any]:
        """The fields that `tree` names of the object at `path`."""
        return self.one(f"{path}/api/json", {"tree": tree})

    def post(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        expect: Sequence[int] = REDIRECTS,
    ) -> Response:
        """Writes once. A redirect to anywhere else than a page of Jenkins raises Misconfigured."""
        answer = self.write("POST", path, params=params, data=data, expect=expect)
        location = answer.headers.get("Location", "")
        if answer.status in REDIRECTS and leads_away(location, self.base, path):
            raise self.failure(answer, write=True)
        return answer

    def failure(self, response: Response, *, write: bool) -> ProviderError:
        """See the vendor's ACL and AccessDeniedException3 for the headers of a 403."""
        if response.status == 403:
            return _denied(response)
        if response.status == 409:
            return Rejected("Jenkins can't build this: the job is disabled.")
        if response.status == 400:
            return Rejected("Jenkins refused the parameters. Did the job's parameters just change?")
        if response.status == 503 and not write:
            return Unavailable("Jenkins is starting or overloaded (503).")
        return super().failure(response, write=write)


def _denied(response: Response) -> ProviderError:
    if b"No valid crumb" in response.body:
        return Misconfigured(
            "Jenkins asked for a crumb although an API token was sent: a proxy in front of it "
            "seems to drop the Authorization header, or the secret is a password."
        )
    if response.headers.get("X-You-Are-Authenticated-As", "") == "anonymous":
        return NotAuthorized("Jenkins takes the portal for an anonymous visitor (403).")
    right = PERMISSIONS.get(response.headers.get("X-Required-Permission", ""), "")
    return Forbidden(
        f"Jenkins: the credential's user lacks {right or 'a permission'} for this (403)."
    )
