"""Request ids, so that a log line, an error page and an audit event can be matched; the visitor's
own address behind a proxy; no caches; no secret of a webhook's address anywhere.

The logging configuration names this module, so it is imported before any model can be.
"""

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_ipv46_address
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin

current_request_id: ContextVar[str] = ContextVar("request_id", default="-")
# /hooks/<receiver>/<secret>/, in any case: one that is misspelt holds the secret all the same.
# Receivers of the catalog have a name of two parts, catalog/<source>.
HOOK_PATH = re.compile(
    r"/+hooks/+(?P<receiver>(?:catalog/)?[^/]+)(?:/(?P<secret>.*?))?/?", re.DOTALL | re.IGNORECASE
)


class RequestIdMiddleware:
    """Gives every request an id of our own making and answers with it.

    An id from outside is not taken over: it is the reference that people give to administrators.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self.acall(request)
        begin(request)
        try:
            return finish(request, self.get_response(request))
        finally:
            current_request_id.set("-")

    async def acall(self, request: HttpRequest) -> HttpResponseBase:
        begin(request)
        try:
            return finish(request, await self.get_response(request))
        finally:
            current_request_id.set("-")


def begin(request: HttpRequest) -> None:
    """What pages and calls of the API alike begin with."""
    request.META["REMOTE_ADDR"] = client_address(request)
    request.request_id = uuid.uuid4().hex  # type: ignore[attr-defined]
    current_request_id.set(request.request_id)  # type: ignore[attr-defined]


def client_address(request: HttpRequest) -> str:
    """The address that our outermost proxy was asked from: limits and the trail count by it.

    Each proxy adds at the right whom it was asked by; what stands left of ours anybody may have
    written. That is true only where nothing reaches this port past the proxies: who did could write
    all the entries themselves.
    """
    direct = str(request.META.get("REMOTE_ADDR") or "")
    told = request.headers.get("X-Forwarded-For", "").split(",")
    count = settings.TRUSTED_PROXIES
    if not count or len(told) < count:
        return direct
    address = told[-count].strip()
    try:
        validate_ipv46_address(address)
    except ValidationError:
        return direct
    return address


def finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
    return response


class NoStoreMiddleware(MiddlewareMixin):
    """Keeps pages out of every cache: after a sign-out, "back" must not show what was private."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response


class PathSecretMiddleware(MiddlewareMixin):
    """Takes the secret out of a webhook's address, for vendors that can't sign what they send.

    It comes first, so that no redirect, log line or error page can hold what only the view may
    know, as `request.path_secret`.
    """

    def process_request(self, request: HttpRequest) -> None:
        found = HOOK_PATH.fullmatch(request.path_info)
        if found is None:
            return
        prefix = request.path.removesuffix(request.path_info)
        request.path_secret = found["secret"] or ""  # type: ignore[attr-defined]
        request.path_info = request.META["PATH_INFO"] = f"/hooks/{found['receiver']}/"
        request.path = prefix + request.path_info


class RequestIdFilter(logging.Filter):
    """Puts the request id into each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        return True
