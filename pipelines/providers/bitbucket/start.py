"""The body that starts a pipeline: what to run, and the variables that carry labels and choices.

Bitbucket takes no message and shows the credential's account as creator, so the variables are the
only place for who asked. They can't be read back.
"""

from collections.abc import Mapping
from typing import Any

from pipelines.providers.base import StartRequest
from pipelines.providers.bitbucket.parse import custom_of
from pipelines.providers.bitbucket.yml import BY_BRANCH, PIPELINE
from pipelines.providers.errors import Rejected
from pipelines.providers.labels import refuse_reserved, variables
from pipelines.providers.wire import mapping, text

# What of an old target can be sent again; the rest (links, summaries) is the vendor's.
_TARGET = ("type", "ref_type", "ref_name", "source", "destination")
_COMMITS = ("commit", "destination_commit")


def body(request: StartRequest, branch: str) -> dict[str, object]:
    """Starts a branch's own pipeline, or the custom one that the parameter PIPELINE names."""
    target: dict[str, object] = {
        "type": "pipeline_ref_target",
        "ref_type": "branch",
        "ref_name": branch,
    }
    if request.commit:
        target["commit"] = {"type": "commit", "hash": request.commit}
    custom = request.parameters.get(PIPELINE, "")
    if custom not in ("", BY_BRANCH):
        target["selector"] = {"type": "custom", "pattern": custom}
    return {"target": target, "variables": _variables(request)}


def again(request: StartRequest, old: Mapping[str, Any]) -> dict[str, object]:
    """Runs the target of `old` once more. Its variables are those that the request holds, since
    Bitbucket does not tell them."""
    was = mapping(old.get("target"))
    target: dict[str, object] = {name: text(was[name]) for name in _TARGET if text(was.get(name))}
    if not target.get("type"):
        raise Rejected("Bitbucket does not tell what this build ran on, so it can't run again.")
    custom = custom_of(was)
    if custom and PIPELINE not in request.parameters:
        raise Rejected(
            f"Bitbucket does not tell with which variables “{custom}” ran, so a retry could do "
            "something else. Start it anew and choose them."
        )
    for name in _COMMITS:
        commit = text(mapping(was.get(name)).get("hash"))
        if commit:
            target[name] = {"type": "commit", "hash": commit}
    selector = mapping(was.get("selector"))
    chosen = {name: text(selector.get(name)) for name in ("type", "pattern") if selector.get(name)}
    # "default" and "branches" follow from the branch; these two do not.
    if chosen.get("type") in ("custom", "pull-requests"):
        target["selector"] = chosen
    pull = mapping(was.get("pullrequest")).get("id")
    if pull is not None:
        target["pullrequest"] = {"id": str(pull)}
    return {"target": target, "variables": _variables(request)}


def _variables(request: StartRequest) -> list[dict[str, object]]:
    """An empty one is left out, so that the pipeline's own default holds."""
    given = {name: value for name, value in request.parameters.items() if name != PIPELINE}
    refuse_reserved(given, vendors=("BITBUCKET_",))
    sent = {**{name: value for name, value in given.items() if value}, **variables(request)}
    return [{"key": name, "value": value, "secured": False} for name, value in sent.items()]
