"""Webhooks of a repository: whether Bitbucket sent them, and what they may be about.

There is no event for a build's end. A build shows as a commit status that links to its page; and
whatever starts builds (a push, a pull request) is a reason to look.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pipelines.providers.base import Hint, Hook, HookKeys
from pipelines.providers.errors import HookRefused
from pipelines.providers.signing import digest_of, hmac_sha256, is_any, object_of, secrets_of
from pipelines.providers.wire import integer, mapping, mappings, text

STATUS_EVENTS = ("repo:commit_status_created", "repo:commit_status_updated")
SPAN_EVENT = "pipeline:span_created"
# Events that make or change builds, or a repository's name.
EVENTS = (
    "repo:push",
    "repo:updated",
    *STATUS_EVENTS,
    "pullrequest:created",
    "pullrequest:push",
    "pullrequest:fulfilled",
)
_NAME = re.compile(r"[^/\s]{1,200}/[^/\s]{1,200}")
# Any CI may post statuses; Pipelines' own lead to one of these pages of the repository.
_PAGES = ("/addon/pipelines/home", "/pipelines/results/")
_RESULT = re.compile(r"results/(\d{1,12})(?:\D|$)")
_NUMBER = "pipeline.build_number"


def verify(hook: Hook, keys: HookKeys) -> str:
    """HMAC-SHA256 over the raw body, by any of the secrets.

    The id is the body's digest and not the header X-Request-UUID: the signature does not cover
    headers, so with that an old delivery could come again under a new id.
    """
    secrets = secrets_of(keys)
    given = hook.headers.get("x-hub-signature", "").strip()
    if not given:
        raise HookRefused("The delivery is not signed: the webhook in Bitbucket has no secret.")
    digests = [b"sha256=" + hmac_sha256(secret, hook.body).hex().encode() for secret in secrets]
    if not is_any(given.encode("utf-8", "replace"), digests):
        raise HookRefused("The signature does not belong to this body and to any secret of ours.")
    return digest_of(hook.body)


def parse(hook: Hook) -> list[Hint]:
    """The repository, and the build where a status links to one."""
    event = hook.headers.get("x-event-key", "")
    body = object_of(hook.body)
    names = tuple(_names(body))
    if not names:
        return []
    if event in STATUS_EVENTS:
        build = _build_of(mapping(body.get("commit_status")), names)
        return [Hint(event, names, build)] if build else []
    if event == SPAN_EVENT:
        numbers = dict.fromkeys(_numbers(body))
        return [Hint(event, names, str(number)) for number in numbers]
    if event in EVENTS or event.startswith("pullrequest:"):
        return [Hint(event, names)]
    return []


def _names(body: Mapping[str, Any]) -> Iterator[str]:
    """The repository's name now, and the one before when it was renamed."""
    renamed = mapping(mapping(body.get("changes")).get("full_name"))
    known = mapping(body.get("repository")).get("full_name")
    for name in dict.fromkeys(map(text, (known, renamed.get("new"), renamed.get("old")))):
        if _NAME.fullmatch(name):
            yield name


def _build_of(status: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The build's number from the status's link, where that is a page of this repository."""
    link = text(status.get("url"))
    try:
        path = unquote(urlsplit(link).path)
    except ValueError:
        return ""
    ours = any(f"/{name}{page}" in path for name in names for page in _PAGES)
    found = _RESULT.search(link) if ours else None
    return str(int(found[1])) if found else ""


def _numbers(body: Mapping[str, Any]) -> Iterator[int]:
    """The build numbers among the attributes of OpenTelemetry spans."""
    for resource in mappings(body.get("resourceSpans")):
        for scope in mappings(resource.get("scopeSpans")):
            for span in mappings(scope.get("spans")):
                for attribute in mappings(span.get("attributes")):
                    if attribute.get("key") == _NUMBER:
                        yield from _number(mapping(attribute.get("value")))


def _number(value: Mapping[str, Any]) -> Iterator[int]:
    """OTLP writes a whole number as a text."""
    for told in (value.get("intValue"), value.get("stringValue")):
        number = integer(told)
        if number is None and text(told).isascii() and text(told).isdigit():
            number = int(text(told)[:12])
        if number:
            yield number
