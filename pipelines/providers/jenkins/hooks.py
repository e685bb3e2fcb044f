"""What the plugin "Notification" sends: whether to believe it, and what it is about.

The plugin signs nothing. What shows that a delivery is Jenkins' own is a secret: the end of the
address that it is sent to, or a header that a proxy of the company adds.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from pipelines.providers.base import Hint, Hook, HookKeys
from pipelines.providers.errors import HookRefused
from pipelines.providers.jenkins.names import BuildRef
from pipelines.providers.signing import digest_of, is_any, object_of, secrets_of
from pipelines.providers.wire import integer, mapping, text

HEADER = "x-stagedoor-token"
LONGEST_URL = 4_000
PHASES = ("QUEUED", "STARTED", "COMPLETED", "FINALIZED")
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,10}")


def verify(hook: Hook, keys: HookKeys) -> str:
    """An id of the delivery. Raises HookRefused."""
    secrets = secrets_of(keys)
    bearer = _BEARER.fullmatch(hook.headers.get("authorization", "").strip())
    given = [hook.path_secret, hook.headers.get(HEADER, ""), bearer[1] if bearer else ""]
    if not any(given):
        raise HookRefused(
            "The delivery carries no secret. It belongs at the end of the address in Jenkins, or "
            "into the header X-Stagedoor-Token."
        )
    same = [is_any(one.encode("utf-8", "replace"), secrets) for one in given if one]
    if not any(same):
        raise HookRefused("The delivery carries another secret than this server's.")
    return _delivery_id(hook.body)


def _delivery_id(body: bytes) -> str:
    """The same for a delivery that comes again, as the plugin's retries do: it names none."""
    payload = _payload(body)
    build = mapping(payload.get("build"))
    names = ("full_url", "url", "number", "phase", "status", "timestamp", "queue_id")
    told = json.dumps([build.get(name) for name in names]).encode()
    return digest_of(told)


def parse(hook: Hook) -> list[Hint]:
    """Whether a job is a branch of a multibranch project, which is one pipeline here, can't be
    told for certain: both readings are candidates, and the build is named for the likelier."""
    payload = _payload(hook.body)
    build = mapping(payload.get("build"))
    names, number = _run_of(payload, build)
    phase = text(build.get("phase"))
    event = f"build.{phase.lower()}" if phase in PHASES else "build"
    job, project, item = "/".join(names), "/".join(names[:-1]), names[-1]
    if project and "%" in item:  # only branch jobs have names that are encoded
        of_branch = str(BuildRef(int(number), item)) if number else ""
        return [Hint(event, (project, job), of_branch)]
    return [Hint(event, (job, project) if project else (job,), number)]


def _run_of(payload: Mapping[str, Any], build: Mapping[str, Any]) -> tuple[list[str], str]:
    """The job's names from the top down, and the build's number, empty when it is not told."""
    for url in (build.get("url"), build.get("full_url"), payload.get("url")):
        names, number = _read(text(url)[:LONGEST_URL])
        if names:
            return names, number or _digits(build.get("number"))
    raise HookRefused("The delivery names no job.")


def _read(url: str) -> tuple[list[str], str]:
    """Names and number from the first `job/` on, whatever root URL stands before it; a matrix run
    has its axes between. By parts and not by a pattern, which takes seconds for a hostile URL."""
    parts = re.split(r"[?#]", url, maxsplit=1)[0].split("/")
    at = parts.index("job") if "job" in parts else len(parts)
    names = []
    while parts[at : at + 1] == ["job"] and at + 2 < len(parts) and parts[at + 1]:
        names.append(_decoded(parts[at + 1]))
        at += 2
    rest = parts[at:-1] if parts[-1] == "" else parts[at:]
    numbered = bool(rest) and _NUMBER.fullmatch(rest[-1]) is not None
    # What does not end with a slash is a page of the job, or not a job at all.
    whole = all(rest) and (numbered or parts[-1] == "")
    return (names if whole else []), (rest[-1] if numbered else "")


def _digits(value: object) -> str:
    number = integer(value)
    return str(number) if number is not None and 0 < number < 10**10 else ""


def _decoded(part: str) -> str:
    """A branch job's own name keeps %2F; a proxy may have decoded the address once."""
    name = unquote(part)
    return part if "/" in name else name


def _payload(body: bytes) -> Mapping[str, Any]:
    payload = object_of(body, 'Choose the format "JSON" in the job\'s notification.')
    if not isinstance(payload.get("build"), dict):
        raise HookRefused("The delivery is not one of Jenkins' notification plugin.")
    return payload
