"""Calls of SCIM as a directory makes them."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

TOKEN = "a-token-of-the-directory-under-test"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Directory:
    """Sends JSON with the token; `base` is what all addresses begin with."""

    def __init__(self, token: str = TOKEN) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {token}"} if token else {})

    def call(self, method: str, path: str, data: Any = None, **query: Any) -> HttpResponse:
        body = data if isinstance(data, bytes) else json.dumps(data).encode() if data else b""
        return self.client.generic(
            method, f"/scim/v2/{path}", body, "application/scim+json", query_params=query
        )

    def add(self, name: str, /, **more: Any) -> dict[str, Any]:
        """A user of that name, whose externalId is "<name>-id"."""
        data = {"schemas": [USER], "userName": name, "externalId": f"{name}-id", **more}
        answer = self.call("POST", "Users", data)
        assert answer.status_code == 201, answer.content
        return answer.json()

    def add_group(self, name: str, *members: str) -> dict[str, Any]:
        data = {
            "schemas": [GROUP], "displayName": name, "members": [{"value": pk} for pk in members],
        }  # fmt: skip
        answer = self.call("POST", "Groups", data)
        assert answer.status_code == 201, answer.content
        return answer.json()

    def patch(self, path: str, *operations: dict[str, Any]) -> HttpResponse:
        return self.call("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})
