"""How a reading call is answered: for whom, from which version of the catalog, made or kept."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from catalog.api import kept
from catalog.api.filters import FilterError
from catalog.api.seen import Seen, seen_by
from portal.api_errors import ApiError
from portal.api_tokens import Caller

JSON = "application/json; charset=utf-8"


def reading(
    request: HttpRequest, caller: Caller, make: Callable[[Seen], HttpResponseBase]
) -> HttpResponseBase:
    """The answer that `make` gives, kept for everybody who may see the whole catalog."""
    seen = seen_by(caller)
    version = kept.begin(caller)
    # With the method: a GET may carry a body that it does not look at.
    method = "GET" if request.method == "HEAD" else request.method
    key = ("answer", request.get_full_path(), request.body, method)
    if seen.everything:
        found = kept.KEPT.get(version, key)
        if found is not None:
            content, headers = found
            return HttpResponse(content, JSON, headers=headers)
    try:
        response = make(seen)
    except FilterError as error:
        raise ApiError(400, str(error)) from error
    if seen.everything and isinstance(response, HttpResponse) and response.status_code == 200:
        headers = {"Link": response["Link"]} if response.has_header("Link") else {}
        size = len(response.content) + len(key[1]) + len(key[2])
        kept.KEPT.put(version, key, (response.content, headers), size)
    return response
