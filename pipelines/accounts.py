"""Who started a build: vendors' accounts become people where somebody linked them, never by a name
or an address that looks alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Q

from pipelines.models import Build, Server, VendorAccount
from pipelines.providers.base import Cause
from portal.access import display_name

# How a build that nobody asked Stagedoor for came to be.
CAUSES = {
    Cause.PUSH: "by a push",
    Cause.PULL_REQUEST: "by a pull request",
    Cause.TAG: "by a tag",
    Cause.SCHEDULE: "on schedule",
    Cause.API: "through the server's API",
    Cause.MANUAL: "by hand",
    Cause.UPSTREAM: "by another build",
    Cause.PROMOTE: "by a promotion",
}
OURS = "Stagedoor's account"
SILENT = "the server did not say"
Key = tuple[int, str]


@dataclass(frozen=True)
class Starter:
    """Who and how, in words; `brief` is the note where the server is named already.

    Without a `name` nobody is known; `account_id` is linked to nobody.
    """

    name: str
    note: str
    brief: str
    account_id: str = ""


def tell(builds: Iterable[Build]) -> None:
    """Gives each build its `starter`; one query for them all. Needs `pipeline__server`."""
    found = list(builds)
    known = people((build.pipeline.server_id, build.who_id) for build in found)
    for build in found:
        user = known.get((build.pipeline.server_id, build.who_id))
        build.starter = _starter(build, user)  # type: ignore[attr-defined]


def people(accounts: Iterable[Key]) -> dict[Key, User]:
    """The person of each account that is linked to one, by server and the vendor's id."""
    wanted = {key for key in accounts if key[1]}
    if not wanted:
        return {}
    rows = VendorAccount.objects.filter(
        server__in={server for server, _ in wanted}, account_id__in={name for _, name in wanted}
    ).select_related("user")
    keyed = {(row.server_id, row.account_id): row.user for row in rows}
    return {key: user for key, user in keyed.items() if key in wanted}


def own_account(server: Server) -> str:
    """The vendor's id of the account that Stagedoor's credential belongs to, as the last
    connection test told; "" while that is not known."""
    told = server.check_result.get("who_id") if isinstance(server.check_result, dict) else ""
    return told if isinstance(told, str) else ""


def started_by(user_id: int) -> Q:
    """Builds that a person asked Stagedoor for, or started with an account that is theirs."""
    theirs = Q(trigger__actor_id=user_id)
    for account in VendorAccount.objects.filter(user=user_id).select_related("server"):
        if account.account_id != own_account(account.server):
            server = Q(pipeline__server=account.server_id)
            theirs |= server & Q(trigger=None, who_id=account.account_id)
    return theirs


def _starter(build: Build, user: User | None) -> Starter:
    """For a build that no trigger is tied to."""
    server = build.pipeline.server
    cause = CAUSES.get(build.cause, "")  # type: ignore[call-overload]
    if build.who_id and build.who_id == own_account(server):
        return Starter(OURS, "not through Stagedoor", "not through Stagedoor")
    if user is not None:
        account = f"as {build.who or build.who_id} on {server.name}"
        return Starter(display_name(user), _joined(account, cause), cause)
    if build.who or build.who_id:
        return Starter(
            build.who or build.who_id,
            _joined(f"on {server.name}, not linked to a person", cause),
            _joined("not linked", cause),
            build.who_id,
        )
    return Starter("", cause or SILENT, cause or SILENT)


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
