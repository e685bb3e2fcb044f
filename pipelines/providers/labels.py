"""The labels that every started build carries, under the names that vendors' jobs read.

STAGEDOOR_* belongs to the portal: a person who could set these could pass for someone else.
"""

from collections.abc import Mapping

from pipelines.providers.base import LABELS, StartRequest
from pipelines.providers.errors import Rejected

PREFIX = "STAGEDOOR_"
REQUEST_ID = "STAGEDOOR_REQUEST_ID"


def variables(request: StartRequest) -> dict[str, str]:
    """The non-empty labels as STAGEDOOR_<NAME>."""
    labels = {**request.labels, "request_id": request.request_id}
    return {f"{PREFIX}{name.upper()}": labels[name] for name in LABELS if labels.get(name)}


def refuse_reserved(parameters: Mapping[str, str]) -> None:
    """Raises Rejected when a person's parameters use a name that belongs to the portal."""
    taken = sorted(name for name in parameters if name.upper().startswith(PREFIX))
    if taken:
        raise Rejected(f"{', '.join(taken)}: names that begin with {PREFIX} are set by Stagedoor.")
