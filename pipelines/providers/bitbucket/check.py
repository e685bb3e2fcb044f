"""The connection test: which rights the credential has, whose it is, and when it ends.

No scope implies another for API tokens. Every answer's headers name the scopes that are held.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.providers.base import CheckResult
from pipelines.providers.bitbucket.credential import ACCESS_TOKEN, API_TOKEN, OAUTH
from pipelines.providers.bitbucket.rights import RIGHTS, Right
from pipelines.providers.bitbucket.wire import BitbucketWire, scopes
from pipelines.providers.errors import Misconfigured, NotFound
from pipelines.providers.wire import mapping, segment, text
from portal.http import NotJson, Response

LABELS = {
    API_TOKEN: "an API token",
    ACCESS_TOKEN: "an access token",
    OAUTH: "an OAuth consumer",
}


def check(wire: BitbucketWire, workspaces: Sequence[str]) -> CheckResult:
    """Asks every workspace once, then whose credential it is."""
    held: set[str] | None = None
    for workspace in workspaces:
        answer = _probe(wire, workspace)
        wire.json(answer)
        told = answer.headers.get("X-OAuth-Scopes")
        held = scopes(told) if told is not None else held
    who = _who(wire)
    kind = wire.authority.kind
    notes = ["The account's own permission on each repository still applies."]
    if held is None:
        notes.append("Bitbucket did not tell the credential's scopes.")
    elif missing := [right for right in RIGHTS if right.optional and not _has(right, held, kind)]:
        names = dict.fromkeys(f"{right.name(kind)} ({right.use})" for right in missing)
        notes.append(f"Not held, and not needed unless wanted: {'; '.join(names)}.")
    if kind != OAUTH:
        notes.append(
            "Bitbucket tells nobody when a token expires: write the date into the server's form."
        )
    return CheckResult(
        who=text(who.get("display_name")) or LABELS[kind],
        who_id=text(who.get("uuid")).lower(),
        lacks=_lacks(held, kind),
        unused=_unused(held, kind),
        notes=tuple(notes),
    )


def _probe(wire: BitbucketWire, workspace: str) -> Response:
    path = f"/repositories/{segment(workspace)}"
    try:
        return wire.get(path, {"pagelen": "1", "fields": "values.uuid"})
    except NotFound:
        raise Misconfigured(
            f"Bitbucket has no workspace “{workspace}”, or hides it from the credential. The "
            'option "workspaces" takes their slugs, as they stand in addresses.'
        ) from None


def _who(wire: BitbucketWire) -> Mapping[str, Any]:
    """The account; access tokens and narrow scopes may not read it."""
    answer = wire.get("/user", expect=(401, 403, 404))
    if answer.status != 200:
        return {}
    try:
        return mapping(answer.json())
    except NotJson:
        return {}


def _has(right: Right, held: set[str], kind: str) -> bool:
    """With OAuth's names, a right to write holds the one to read; API tokens know no such thing."""
    name = right.name(kind)
    return name in held or (kind != API_TOKEN and f"{name}:write" in held)


def _lacks(held: set[str] | None, kind: str) -> tuple[tuple[str, str], ...]:
    if held is None:
        return ()
    return tuple(
        (right.name(kind), right.use)
        for right in RIGHTS
        if not right.optional and not _has(right, held, kind)
    )


def _unused(held: set[str] | None, kind: str) -> tuple[tuple[str, str], ...]:
    known = {right.name(kind) for right in RIGHTS}
    return tuple(
        (scope, "Stagedoor does not need it") for scope in sorted(held or ()) if scope not in known
    )
