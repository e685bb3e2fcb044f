"""What people have to know of a server to read its builds rightly: silent, or asked too much."""

from collections.abc import Iterable
from datetime import datetime

from pipelines import budget
from pipelines.models import Server
from pipelines.servers import unreachable


def notices_of(servers: Iterable[Server], now: datetime) -> dict[int, list[str]]:
    """Sentences by server, for those that have any; one query."""
    known = {server.pk: server for server in servers}
    short = budget.shortages(list(known.values()), now) if known else {}
    found: dict[int, list[str]] = {}
    for pk, server in known.items():
        said = []
        if since := unreachable(server):
            said.append(f"{server.name}: {since} Its builds are shown as they were last read.")
        if quota := short.get(pk):
            said.append(
                f"Builds on {server.name} are read less often: {budget.left(quota, now)} of "
                f"{quota.limit} requests left until {budget.until(quota, now):%H:%M} UTC."
            )
        if said:
            found[pk] = said
    return found
