"""Errors of the API: always JSON, in the form that Backstage's clients read."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

# Status -> what Backstage calls it (@backstage/errors).
NAMES = {
    400: "InputError",
    401: "AuthenticationError",
    403: "NotAllowedError",
    404: "NotFoundError",
    405: "NotAllowedError",
    409: "ConflictError",
    413: "PayloadTooLargeError",
    422: "InputError",
    503: "ServiceUnavailableError",
}


class ApiError(Exception):
    """An answer other than success: its status and a sentence for whoever wrote the client.

    `told` is what else the error says: of a denial its rule, reason and what would help; of wrong
    values a sentence for each field.
    """

    def __init__(
        self, status: int, message: str, told: Mapping[str, Any] | None = None, **headers: str
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.told = told or {}
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def error_response(
    request: HttpRequest,
    status: int,
    message: str,
    headers: dict[str, str] | None = None,
    told: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """The error as a body that says what was asked, too."""
    name = NAMES.get(status, "Error" if status >= 500 else HTTPStatus(status).phrase)
    body = {
        "error": {"name": name, "message": message, **(told or {})},
        "request": {"method": request.method, "url": request.get_full_path()},
        "response": {"statusCode": status},
    }
    return json_response(body, status, headers)


def json_response(
    value: Any, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Compact, and in UTF-8 as it is."""
    return HttpResponse(encode(value), "application/json; charset=utf-8", status, headers=headers)


def encode(value: Any) -> bytes:
    """Lone surrogates can't be UTF-8; the catalog holds none, but an error may quote one."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
