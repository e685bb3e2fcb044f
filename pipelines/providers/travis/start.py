"""The request that starts a build: who asked travels in its message and in variables.

Travis shows the token's user as the author of every build that it started; so people read the
message, jobs read the variables, and machines find the build by the id behind the message.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelines.providers.base import StartRequest
from pipelines.providers.errors import Rejected
from pipelines.providers.labels import PREFIX, REQUEST_ID, refuse_reserved, variables
from pipelines.providers.travis.parse import marked, request_id_of, without_id
from pipelines.providers.travis.wire import Answer
from pipelines.providers.wire import mapping, mappings, text

# Names the variables that a person gave, so that a retry can tell them from those of .travis.yml.
NAMES = f"{PREFIX}VARIABLES"
# Such words in a commit's message keep Travis from building; nobody who asks means that.
_SKIP = re.compile(r"\[(?:skip[ -](?:ci|travis)|(?:ci|travis)[ -]skip)\]", re.IGNORECASE)
ELSEWHERE = "Restart it in Travis CI."


def body(request: StartRequest, branch: str) -> dict[str, object]:
    """The body of POST …/requests. Raises Rejected for a parameter that is no free variable."""
    refuse_reserved(request.parameters, vendors=("TRAVIS",))
    if any("\0" in value for value in request.parameters.values()):
        raise Rejected("No variable holds a NUL character.")
    given = {**request.parameters, **variables(request)}
    if request.parameters:
        given[NAMES] = " ".join(request.parameters)
    fields: dict[str, object] = {
        # A commit alone would be built under the name of the default branch.
        "branch": branch,
        "message": _message(request, branch),
        # Without it the way of merging hangs on the repository's settings, and may put this in
        # the place of the whole .travis.yml.
        "merge_mode": "deep_merge_append",
        "config": {"env": {"global": [f"{n}={shlex.quote(v)}" for n, v in given.items()]}},
    }
    if request.commit:
        fields["sha"] = request.commit
    return {"request": fields}


def _message(request: StartRequest, branch: str) -> str:
    labels = request.labels
    plain = _SKIP.sub("", without_id(request.message or f"Build {branch}"))
    person = without_id(labels.get("person", ""))
    if person and person not in plain:
        plain = f"{plain} by {person}"
    facts = [without_id(labels.get(name, "")) for name in ("team", "service", "environment")]
    told = f" ({', '.join(filter(None, facts))})" if any(facts) else ""
    return " ".join(f"{plain}{told} {marked(request.request_id)}".split())


def again(request: StartRequest, answer: Answer, asked: Mapping[str, Any]) -> StartRequest:
    """What builds the build of `answer` once more; `asked` is the request that it came from.

    A pull request's code may come from anybody: as a build of the branch it would see secrets.
    """
    row = answer.data
    event, branch = text(row.get("event_type")), text(answer.at(row, "branch").get("name"))
    commit = answer.at(row, "commit")
    if event == "pull_request":
        raise Rejected(f"A pull request's build can't be run again from here. {ELSEWHERE}")
    if answer.at(row, "tag"):
        raise Rejected(f"A tag's build can't be run again from here. {ELSEWHERE}")
    if not branch or not text(commit.get("sha")):
        raise Rejected(f"Travis CI does not tell the branch or commit of this build. {ELSEWHERE}")
    ours = request_id_of(text(commit.get("message")))
    if event == "api" and not ours:
        raise Rejected(f"Another client started this build in its own way. {ELSEWHERE}")
    parameters = _parameters(environment(asked)) if event == "api" else {}
    return replace(request, branch=branch, commit=text(commit.get("sha")), parameters=parameters)


def _parameters(env: Mapping[str, str]) -> dict[str, str]:
    names = env.get(NAMES, "").split()
    if REQUEST_ID not in env or not env.keys() >= set(names):
        raise Rejected(f"Travis CI no longer tells the variables of this build. {ELSEWHERE}")
    return {name: env[name] for name in names}


def environment(asked: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a request's configuration, in which Travis may have rewritten them."""
    found: dict[str, str] = {}
    given = mapping(mapping(asked.get("config")).get("env")).get("global")
    entries = given if isinstance(given, list) else [given]
    for entry in entries:
        if isinstance(entry, str):
            try:
                words = shlex.split(entry)
            except ValueError:
                continue
            found |= {name: value for name, _, value in (word.partition("=") for word in words)}
    for entry in mappings(entries):
        found |= {name: value for name, value in entry.items() if isinstance(value, str)}
    return found
