"""What the account may do in a repository, as Drone mirrors it from the source host."""

from collections.abc import Mapping
from typing import Any

from pipelines.providers.drone.wire import DroneWire, repository
from pipelines.providers.errors import Forbidden, Rejected
from pipelines.providers.wire import mapping

NEEDS_WRITE = "write"  # start, cancel, retry, promote
NEEDS_ADMIN = "admin"  # approve, activate


def require(
    wire: DroneWire, pipeline: str, right: str, *, active: bool = True
) -> Mapping[str, Any]:
    """The repository. Raises Forbidden without the right, Rejected where it is not active.

    Drone itself would answer 404 for the one and start a build all the same for the other.
    """
    repo = wire.one(repository(pipeline))
    if mapping(repo.get("permissions")).get(right) is False:
        wire.one("/api/user")  # a dead token is a guest, who may read what is public
        raise Forbidden(
            f"Drone: the account has no {right} right in this repository. It mirrors the rights "
            "at the source host, up to an hour late."
        )
    if active and repo.get("archived") is True:
        raise Rejected("The repository is archived at the source host.")
    if active and repo.get("active") is not True:
        raise Rejected("The repository is not active in Drone. Activate it first.")
    return repo
