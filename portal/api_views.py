"""What every call of the API has in common: who calls, which methods there are, errors as JSON."""

import logging
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from portal.api_errors import ApiError, error_response
from portal.api_tokens import BadToken, Caller, caller_by, note_use
from portal.middleware import current_request_id

logger = logging.getLogger(__name__)

# Answers one method of one path: the request, who calls, and what the path names.
Answer = Callable[..., HttpResponseBase]
SAFE = ("GET", "HEAD")


def api(**answers: Answer) -> Callable[..., HttpResponseBase]:
    """A view of the API: `api(GET=entities, POST=…)`.

    Bearer tokens only. A session's cookie opens nothing here, so nothing here needs CSRF tokens.
    """

    @csrf_exempt
    @login_not_required
    def view(request: HttpRequest, **names: str) -> HttpResponseBase:
        try:
            return _answered(request, answers, names)
        except Exception as error:
            return refused(request, error)

    return view


def _answered(
    request: HttpRequest, answers: dict[str, Answer], names: dict[str, str]
) -> HttpResponseBase:
    try:
        return _asked(request, answers, names)
    except (OperationalError, InterfaceError):
        # A connection that was kept over a restart of the database; a read can be asked again.
        if request.method not in SAFE or connection.in_atomic_block:
            raise
        connection.close()
        return _asked(request, answers, names)


def _asked(
    request: HttpRequest, answers: dict[str, Answer], names: dict[str, str]
) -> HttpResponseBase:
    if any("\x00" in str(name) for name in names.values()):
        raise ApiError(404, "No name holds a NUL character.")
    caller: Caller = caller_by(request.META.get("HTTP_AUTHORIZATION", ""))
    request.caller = caller  # type: ignore[attr-defined]
    if caller.unnoted and not hasattr(request, "noted_later"):  # portal/api_gate.py does it later
        note_use(caller.token_id)
    method = "GET" if request.method == "HEAD" else request.method or ""
    answer = answers.get(method)
    if answer is None:
        allowed = ", ".join(answers)
        raise ApiError(
            405, f"{request.method} is not understood here, {allowed} is.", Allow=allowed
        )
    return answer(request, caller, **names)


def refused(request: HttpRequest, error: Exception) -> HttpResponse:
    match error:
        case BadToken():
            headers = {"WWW-Authenticate": 'Bearer realm="Stagedoor"'}
            return error_response(request, 401, str(error), headers)
        case ApiError():
            return error_response(request, error.status, error.message, error.headers, error.told)
        case RequestDataTooBig():
            return error_response(request, 413, "This is larger than Stagedoor takes.")
        case SuspiciousOperation():
            return error_response(request, 400, "This request can't be read.")
    logger.error("API: %s %s failed", request.method, request.path, exc_info=error)
    reference = f"Its reference is {current_request_id.get()}."
    if isinstance(error, DatabaseError) and not connection.in_atomic_block:
        connection.close()
    if isinstance(error, OperationalError):
        return error_response(
            request, 503, f"The database did not answer in time; try again. {reference}"
        )
    return error_response(request, 500, f"Something went wrong in Stagedoor. {reference}")


def _nothing(request: HttpRequest, caller: Caller, **names: Any) -> HttpResponse:
    raise ApiError(404, f"There is nothing at {request.path}.")


# Every address below /api/ that means nothing, whatever the method.
api_not_found = api(**dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), _nothing))
