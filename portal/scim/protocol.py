"""How a call of SCIM is let in, read and answered: token, bounds, errors as RFC 7644 has them."""

import hmac
import json
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from pydantic import ValidationError
from scim2_models import (
    Error,
    InvalidSyntaxException,
    InvalidValueException,
    NotFoundException,
    SCIMException,
    UnauthorizedException,
)

from portal import inbox
from portal.rate import within

CONTENT_TYPE = "application/scim+json"
RECEIVER = "portal:scim"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Whatever the client sends is counted in this web process.
PER_MINUTE = 3000
STRANGER = "Send the token of SCIM_TOKEN as Authorization: Bearer."
OFF = "SCIM is switched off here: SCIM_TOKEN is empty."

Handler = Callable[..., HttpResponse]


class Refused(Exception):
    """An answer with this status and sentence, for which SCIM has no type of error."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def endpoint(**handlers: Handler) -> Handler:
    """A view of SCIM, with a handler for each method; each call is one transaction."""

    @csrf_exempt
    @login_not_required
    def view(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            _let_in(request)
            handler = handlers.get(str(request.method))
            if handler is None:
                allow = ", ".join(handlers)
                raise Refused(405, f"{request.method} is not answered here.", Allow=allow)
            with transaction.atomic():
                return handler(request, **kwargs)
        except Refused as refusal:
            return _error(refusal.status, refusal.detail, headers=refusal.headers)
        except ValidationError as error:
            return answer(Error.from_validation_errors(error)[0].model_dump(), _status(error))
        except SCIMException as error:
            return _error(error.status, str(error), error.scim_type)
        except IntegrityError:  # a parallel call took the name or the person
            return _error(409, "Somebody else was just added by that name.", "uniqueness")

    return view


def body_of(request: HttpRequest) -> dict[str, Any]:
    """The JSON object that was sent. Raises what endpoint() answers."""
    try:
        body = inbox.read_body(request)
    except inbox.TooLarge as error:
        raise Refused(413, str(error)) from None
    except inbox.Broken as error:
        raise InvalidSyntaxException(detail=str(error)) from None
    try:
        data = json.loads(body, parse_constant=_no_constant)
        _check_text(data)
    except (ValueError, RecursionError):
        raise InvalidSyntaxException(detail="The body is not JSON.") from None
    if not isinstance(data, dict):
        raise InvalidSyntaxException(detail="The body is not a JSON object.")
    return data


def answer(data: dict[str, Any] | None, status: int = 200, **headers: str) -> HttpResponse:
    content = b"" if data is None else json.dumps(data).encode()
    response = HttpResponse(content, CONTENT_TYPE, status, headers=headers)
    response["Cache-Control"] = "no-store"
    return response


def _let_in(request: HttpRequest) -> None:
    """Whether the client is who it says; a stranger's flood costs one comparison a call."""
    if not settings.SCIM_TOKEN:
        raise NotFoundException(detail=OFF)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    known = hmac.compare_digest(token.strip().encode(), settings.SCIM_TOKEN.encode())
    if scheme.lower() != "bearer" or not known:
        inbox.refuse(RECEIVER, "The token is missing or another.", 0, timezone.now())
        raise UnauthorizedException(detail=STRANGER)
    if not within("scim", PER_MINUTE):
        raise Refused(429, "Too many calls. Wait a minute.", **{"Retry-After": "60"})


def _check_text(data: Any) -> None:
    """Refuses text that no column holds or no page shows. Raises ValueError deep inside."""
    if isinstance(data, str) and not data.replace(" ", "").isprintable():
        raise InvalidValueException(detail="There are control characters in the text.")
    for item in data.items() if isinstance(data, dict) else ():
        _check_text(item[0])
        _check_text(item[1])
    for item in data if isinstance(data, list) else ():
        _check_text(item)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _status(error: ValidationError) -> int:
    return Error.from_validation_errors(error)[0].status or 400


def _error(
    status: int, detail: str, scim_type: str = "", headers: dict[str, str] | None = None
) -> HttpResponse:
    error = Error(status=status, scim_type=scim_type or None, detail=detail)
    response = answer(error.model_dump(), status, **(headers or {}))
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response
