"""Block steps: jobs of type `manual` that wait for a person.

Source: buildkite.com/docs/apis/rest-api/jobs, "Unblock a job". What a block step asks for stands in
the pipeline's steps, which the API does not tell for a build; so nothing is asked for here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.providers.base import Gate
from pipelines.providers.buildkite.parse import without_emoji
from pipelines.providers.wire import text

# Narrows the list of jobs; what is behind a gate is "blocked" too.
BLOCKED = {"state[]": "blocked"}
FIELDS = "If this step asks for values, open it in Buildkite: the API does not tell which."


def open_gates(jobs: Iterable[Mapping[str, Any]]) -> list[Gate]:
    """The block steps that wait at this moment, in their order."""
    return [
        Gate(text(job["id"]), without_emoji(text(job.get("label"))) or "Block step", FIELDS)
        for job in jobs
        if text(job.get("id")) and _waits(job)
    ]


def _waits(job: Mapping[str, Any]) -> bool:
    # A script job behind the gate is "blocked", and so is a gate that is not yet reached.
    return (
        job.get("type") == "manual"
        and job.get("state") == "blocked"
        and job.get("unblockable") is True
    )
