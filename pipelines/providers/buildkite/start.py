"""The body that creates a build: who asked travels in message, author, env and meta-data.

Buildkite shows the token's owner as creator, always; so people read the message, jobs read the
variables, and machines find the build by its meta-data.
"""

import re
from collections.abc import Mapping
from typing import Any

from pipelines.providers.base import StartRequest
from pipelines.providers.buildkite.parse import META
from pipelines.providers.errors import Rejected
from pipelines.providers.labels import PREFIX, refuse_reserved, variables, without_ours
from pipelines.providers.wire import first_line, integer, mapping, text

# Documented for commits that come by webhook; whether it stops an API build is not.
_SKIP = re.compile(r"\[(?:skip[ -]ci|ci[ -]skip)\]", re.IGNORECASE)
# What an earlier message of ours ended with; a build that runs again gets the new person.
_BY = re.compile(r"\(requested by [^()]* via Stagedoor\)\s*\Z")


def body(request: StartRequest, branch: str) -> dict[str, object]:
    """The fields of POST …/builds. Raises Rejected for a parameter that is no variable name."""
    refuse_reserved(request.parameters, vendors=("BUILDKITE",))
    return {
        "commit": request.commit or "HEAD",
        "branch": branch,
        "message": _message(request, request.message or f"Build {branch}"),
        **_author(request),
        "env": {**request.parameters, **variables(request)},
        "meta_data": _meta_data(request),
    }


def again(request: StartRequest, old: Mapping[str, Any]) -> dict[str, object]:
    """The fields that build `old` once more, under the new request's id and labels."""
    branch, pull = text(old.get("branch")), mapping(old.get("pull_request"))
    if not branch:
        raise Rejected("Buildkite does not tell the branch of this build, so it can't run again.")
    if text(old.get("tag")):
        # The API takes no tag, so the new build would be a branch's that is called like it.
        raise Rejected("A tag can't be built again from here: rebuild it in Buildkite.")
    env = without_ours(old.get("env"))
    meta_data = without_ours(old.get("meta_data"), META)
    was = first_line(old.get("message")) or f"Build {branch}"
    fields: dict[str, object] = {
        "commit": text(old.get("commit")) or "HEAD",
        "branch": branch,
        "message": _message(request, request.message or was),
        **_author(request),
        "env": {**env, **variables(request)},
        "meta_data": {**meta_data, **_meta_data(request)},
    }
    number = integer(pull.get("id")) or text(pull.get("id"))
    if number:
        fields["pull_request_id"] = int(number) if str(number).isdigit() else number
        fields["pull_request_base_branch"] = text(pull.get("base"))
        fields["pull_request_repository"] = text(pull.get("repository"))
    return fields


def _message(request: StartRequest, wanted: str) -> str:
    plain = _BY.sub("", _SKIP.sub("", wanted)).strip()
    person = request.labels.get("person", "")
    return plain if person in plain else f"{plain} (requested by {person} via Stagedoor)"


def _author(request: StartRequest) -> dict[str, object]:
    person = request.labels.get("person", "")
    return {"author": {"name": person}} if person else {}


def _meta_data(request: StartRequest) -> dict[str, str]:
    return {
        META + name.removeprefix(PREFIX).lower().replace("_", "-"): value
        for name, value in variables(request).items()
    }
