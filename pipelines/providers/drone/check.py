"""The connection test: is this Drone, is the token a user's, and what may that user do.

Listing builds proves nothing: with a dead token one is a guest, who may read what is public.
"""

from collections.abc import Mapping
from typing import Any

from pipelines.providers.base import CheckResult
from pipelines.providers.drone.wire import DroneWire, repository
from pipelines.providers.errors import InvalidResponse, Misconfigured, NotFound, ProviderError
from pipelines.providers.wire import mapping, text

USES = {
    "write": "start, cancel, retry and promote builds",
    "admin": "approve blocked stages and activate repositories",
}


def check(wire: DroneWire) -> CheckResult:
    user = _user(wire)
    login = text(user.get("login"))
    if not login:
        raise InvalidResponse("Drone answered no user. Is it Drone, and is the base URL right?")
    lacks, notes = _rights(wire)
    if user.get("machine") is True and user.get("admin") is not True:
        notes.append("A machine user without admin sees public and internal repositories only.")
    unused = []
    if user.get("admin") is True:
        unused.append(("server admin", "it may see and do everything; Stagedoor never needs it"))
    if user.get("active") is False:
        notes.append("The account is inactive in Drone.")
    notes.append("Drone's tokens have no scopes and do not expire: exchange them by hand.")
    return CheckResult(
        who=login,
        who_id=login,
        version=_version(wire),
        lacks=tuple(lacks),
        unused=tuple(unused),
        notes=tuple(notes),
    )


def _user(wire: DroneWire) -> Mapping[str, Any]:
    """Raises Misconfigured where Drone's successor answers, whose API is another."""
    try:
        return wire.one("/api/user")
    except (NotFound, InvalidResponse):
        if _is_harness(wire):
            raise Misconfigured(
                "This is Harness Open Source, the successor of Drone. Its API is another one and "
                "not supported."
            ) from None
        raise


def _is_harness(wire: DroneWire) -> bool:
    try:
        return isinstance(wire.get_json("/api/v1/system/config"), dict)
    except ProviderError:
        return False


def _version(wire: DroneWire) -> str:
    try:
        return text(wire.one("/version").get("version"))
    except (NotFound, InvalidResponse):
        return ""


def _rights(wire: DroneWire) -> tuple[list[tuple[str, str]], list[str]]:
    """Rights are per repository, and only a repository tells them: one active one is asked."""
    repos = wire.repositories()
    if not repos:
        return [], ["Drone lists no repository for this account. Has it synchronized?"]
    for repo in repos:
        if repo.get("active") is True and "/" not in text(repo.get("namespace")):
            slug = f"{text(repo.get('namespace'))}/{text(repo.get('name'))}"
            held = mapping(wire.one(repository(slug)).get("permissions"))
            lacks = [
                (f"{right} (seen in {slug})", use)
                for right, use in USES.items()
                if held.get(right) is False
            ]
            return lacks, []
    return [], ["None of the account's repositories is active in Drone."]
