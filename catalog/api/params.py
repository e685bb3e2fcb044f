"""Reads what a call sends: numbers, lists and bodies; what can't be read is a 400 that says why."""

import json
from typing import Any, NoReturn

from django.http import HttpRequest

from portal.api_errors import ApiError

MAX_INTEGER = 2**31


def integer(request: HttpRequest, name: str, default: int) -> int:
    """A number of the query, not negative."""
    text = request.GET.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 11 and int(text) < MAX_INTEGER):
        raise ApiError(400, f"{name} must be a whole number, 0 or more.")
    return int(text)


def flag(request: HttpRequest, name: str) -> bool:
    text = request.GET.get(name, "").lower()
    if text not in ("", "true", "false", "1", "0"):
        raise ApiError(400, f"{name} must be true or false.")
    return text in ("true", "1")


def word(request: HttpRequest, name: str, default: str, *others: str) -> str:
    """One of these words."""
    text = request.GET.get(name, default)
    if text not in (default, *others):
        raise ApiError(400, f"{name} must be {' or '.join(filter(None, (default, *others)))}.")
    return text


def body(request: HttpRequest, *known: str) -> dict[str, Any]:
    """The JSON object that was sent. With `known`, nothing else may be in it."""
    try:
        # Bytes would be read as UTF-16, too, and with halves of characters.
        value = json.loads(str(request.body, "utf-8"), parse_constant=_no_number)
        # What neither UTF-8 nor PostgreSQL holds can't be asked for, and not be stored either.
        if b"\\u" in request.body:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "The body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ApiError(400, "The body must be a JSON object.")
    if b"\\u0000" in request.body and "\\u0000" in json.dumps(value):
        raise ApiError(400, "The body holds a NUL character, which nothing in the catalog has.")
    strange = sorted(set(value) - set(known)) if known else []
    if strange:
        raise ApiError(400, f"{strange[0][:80]} is not understood here; {', '.join(known)} are.")
    return value


def member(value: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    """A member of a body, of this type; `default` where it is missing."""
    found = value.get(name, default)
    if found is default:
        return default
    if not isinstance(found, kind) or (kind is int and (isinstance(found, bool) or found < 0)):
        raise ApiError(400, f"{name} must be {WORDS[kind]}.")
    if kind is int and found >= MAX_INTEGER:
        raise ApiError(400, f"{name} is too large.")
    return found


def texts(value: dict[str, Any], name: str, most: int) -> list[str]:
    """A list of strings in a body."""
    found = member(value, name, list, [])
    if not all(isinstance(item, str) for item in found):
        raise ApiError(400, f"{name} must be a list of strings.")
    if len(found) > most:
        raise ApiError(400, f"{name} can have {most} items at most.")
    return found


WORDS = {list: "a list", dict: "an object", str: "a string", int: "a whole number, 0 or more"}


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
