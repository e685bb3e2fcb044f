"""How a server stands, in sentences: for everybody who reads its builds, and for administrators."""

from collections.abc import Iterable
from datetime import datetime

from pipelines import budget
from pipelines.models import Quota, Server
from pipelines.servers import OPEN_AFTER, adapter_of, unreachable
from portal import credential_ages
from portal.templatetags.ui import span

# As people say the length of a limit's window.
WINDOWS = {60: "a minute", 3600: "an hour", 86400: "a day"}


def connection(server: Server, now: datetime) -> str:
    """Whether it answers, in a few words for a list."""
    if not server.enabled:
        return "Switched off"
    if server.unreachable_since:
        return f"No answer for {span((now - server.unreachable_since).total_seconds())}"
    answer = server.check_result
    if server.last_error or answer.get("ok") is False:
        return "Can't be read"
    if not answer:
        return "Not tested yet"
    lacking = len(answer.get("lacks", []))
    return "Answers" if not lacking else f"Answers, lacks {lacking} right{'s' * (lacking > 1)}"


def notices_of(servers: Iterable[Server], now: datetime) -> dict[int, list[str]]:
    """What people have to know to read builds rightly: that a server is silent, or asked too much.

    Sentences by server, for those that have any; one query.
    """
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


def limits(server: Server, now: datetime) -> list[str]:
    """What is left of each limit of its credential; none before the first request."""
    adapter = adapter_of(server)
    if adapter is None or not server.pk:
        return []
    rows = Quota.objects.filter(key=budget.key_of(server)).order_by("name")
    return [_limit(quota, now) for quota in rows]


def circuit(server: Server, now: datetime) -> str:
    """Whether it is asked at all at the moment."""
    if not server.enabled:
        return "Switched off: it is not asked."
    again = server.not_before
    waits = again is not None and again > now
    at = f" It is asked again at {again:%H:%M:%S} UTC." if again is not None and waits else ""
    if server.failures >= OPEN_AFTER:
        silent = unreachable(server)
        rest = at or " One request tries whether it is back."
        return f"Open after {server.failures} failures in a row. {silent}{rest}"
    if server.failures:
        return f"Closed, with {server.failures} failures in a row.{at}"
    return f"Closed: it answers.{at}"


def credential(server: Server, now: datetime) -> list[str]:
    """Age, end and warnings of each of its credentials, by their references."""
    return [
        sentence
        for reference in credential_ages.references(
            server.credential_ref, server.webhook_secret_ref
        )
        for sentence in _credential(reference, now)
    ]


def _limit(quota: Quota, now: datetime) -> str:
    by = "as the server tells" if quota.told_at else "by our own count"
    window = WINDOWS.get(int(quota.seconds), f"in {quota.seconds:g} seconds")
    return (
        f"{quota.name}: {budget.left(quota, now)} of {quota.limit} requests {window} are left, "
        f"{by}; more at "
        f"{budget.until(quota, now):%H:%M:%S} UTC."
    )


def _credential(reference: str, now: datetime) -> list[str]:
    known = credential_ages.age_of(reference)
    if known is None:
        return [f"{reference}: not used so far."]
    days = (now - known.first_used_at).days
    ends = "its end is not known"
    if known.expires_at:
        by = "the server" if known.told_by_vendor else "an administrator"
        ends = f"it ends on {known.expires_at:%d %B %Y}, as {by} says"
    first = f"{reference}: in use for {days} days; {ends}."
    return [first, *(f"Warning: {said}" for said in credential_ages.warnings(known, now))]
