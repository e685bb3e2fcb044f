"""What a delivery of GitHub, Bitbucket Cloud or Bitbucket Data Center is about.

Pure: headers and body in, a Hint out. Whatever is not understood is a sentence, never an error.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from portal.text import storable

# In the order of looking; GitHub's says the action in the body.
EVENT_HEADERS = ("x-github-event", "x-event-key")
PINGS = {"ping", "diagnostics:ping"}
PUSHES = {"push", "repo:push", "repo:refs_changed", "mirror:repo_synchronized"}
# The list of repositories is another now, or one of them has another name or branch.
LISTING = {
    "repository",
    "installation",
    "installation_repositories",
    "installation_target",
    "repo:created",
    "repo:imported",
    "repo:fork",
    "repo:forked",
    "repo:updated",
    "repo:modified",
    "repo:transfer",
    "repo:deleted",
    "project:updated",
    "project:modified",
}
BRANCH = "refs/heads/"
MAX_NAME = 500


class HookUnread(Exception):
    """A believed delivery that can't be understood; the text says why."""


@dataclass(frozen=True)
class Hint:
    """What may have changed. `branches` is None where the delivery does not tell which."""

    event: str
    ids: tuple[str, ...] = ()
    full_name: str = ""
    changed: bool = False
    pull_requests: bool = False
    listing: bool = False
    branches: frozenset[str] | None = None
    reason: str = ""
    # The branch that the host itself names as the main one.
    default_branch: str = ""

    def concerns(self, options: Mapping[str, Any], default_branch: str) -> bool:
        """Whether the branch that a source reads may be among the changed ones."""
        if self.branches is None:
            return True
        read = options.get("branch") or default_branch
        return not read or read in self.branches or self.default_branch not in ("", default_branch)


def hint_of(headers: Mapping[str, str], body: bytes) -> Hint:
    """Raises HookUnread."""
    event = next((headers[name] for name in EVENT_HEADERS if headers.get(name)), "")
    if event in PINGS:
        return Hint(event, reason="A test of the connection.")
    pulls = event == "pull_request" or event.startswith(("pullrequest:", "pr:"))
    if event not in PUSHES | LISTING and not pulls:
        reason = "Nothing follows from this event." if event else "It does not say which event."
        return Hint(event, reason=reason)
    payload = _payload(headers, body)
    repository = _repository(payload)
    ids = tuple(_plain(str(repository[key])) for key in ("uuid", "id") if repository.get(key))
    return Hint(
        event=event,
        ids=ids,
        full_name=_plain(_full_name(repository)),
        changed=event in PUSHES,
        pull_requests=pulls,
        listing=event in LISTING,
        branches=_branches(event, payload) if event in PUSHES else None,
        default_branch=_text(repository.get("default_branch")),
    )


def _payload(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        found = parse_qs(body.decode(errors="replace"), max_num_fields=10).get("payload", [""])
        body = found[0].encode()
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise HookUnread("Its body is not JSON.") from None
    if not isinstance(payload, dict):
        raise HookUnread("Its body is not a JSON object.")
    return payload


def _repository(payload: dict[str, Any]) -> dict[str, Any]:
    """Data Center names it inside the pull request."""
    pull = _mapping(payload.get("pullRequest"))
    for found in (payload.get("repository"), _mapping(pull.get("toRef")).get("repository")):
        if isinstance(found, dict):
            return found
    return {}


def _full_name(repository: dict[str, Any]) -> str:
    name = _text(repository.get("full_name"))
    key = _text(_mapping(repository.get("project")).get("key"))
    return name or (f"{key}/{_text(repository.get('slug'))}" if key else "")


def _branches(event: str, payload: dict[str, Any]) -> frozenset[str] | None:
    """The branches that were pushed, made or deleted; None: it can't be told."""
    if event == "push":
        ref = _text(payload.get("ref"))
        return frozenset([ref.removeprefix(BRANCH)]) if ref.startswith("refs/") else None
    if event == "repo:push":
        names = set(_cloud_branches(_mapping(payload.get("push")).get("changes")))
    else:
        names = set(_server_branches(payload.get("changes")))
    # Empty where the host left it out, for example because it was too long.
    return frozenset(names) if names else None


def _cloud_branches(changes: Any) -> Iterator[str]:
    for change in changes if isinstance(changes, list) else []:
        for side in ("new", "old"):
            name = _text(_mapping(_mapping(change).get(side)).get("name"))
            if name:
                yield name


def _server_branches(changes: Any) -> Iterator[str]:
    for change in changes if isinstance(changes, list) else []:
        ref = _mapping(_mapping(change).get("ref"))
        name = _text(ref.get("id")) or _text(_mapping(change).get("refId"))
        if name:
            yield name.removeprefix(BRANCH)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _plain(value: str) -> str:
    """Without what PostgreSQL can't compare: a delivery that fails is tried for an hour."""
    return storable(value, MAX_NAME)
