"""The connection test: whose token it is, which scopes it lacks, and which Stagedoor never uses.

Source: buildkite.com/docs/apis/rest-api/access-token. GET /access-token needs no scope and tells
them all; that some other page can be read proves nothing, for public pipelines anybody can read.
"""

from pipelines.providers.base import CheckResult
from pipelines.providers.buildkite.wire import BuildkiteWire
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.wire import iso_time, mapping, text

# Right -> what it is for. Trigger, cancel, rebuild and unblock are one scope; none comes alone.
SCOPES = {
    "read_pipelines": "list pipelines",
    "read_builds": "show builds and their jobs",
    "read_build_logs": "show logs",
    "write_builds": "start, cancel and retry builds, and open block steps",
}
ORGANIZATIONS = "read_organizations"
USER = "read_user"
_UNUSED = {
    "graphql": "all or nothing: with it the token may do whatever its user may",
    "read_job_env": "variables of jobs may hold secrets, and Stagedoor does not read them",
}
PERMISSIONS = "The user's own permission on each pipeline still applies."
NO_USER = (
    f"Without the scope {USER} Stagedoor can't tell its own builds from those that somebody else "
    "starts as this user."
)


def check(wire: BuildkiteWire, *, named: bool) -> CheckResult:
    """`named`: the option names the organizations, so that they need not be found."""
    token = wire.one("/access-token")
    scopes = token.get("scopes")
    if not isinstance(scopes, list):
        raise InvalidResponse("Buildkite did not tell the token's scopes.")
    has = {scope for scope in scopes if isinstance(scope, str)}
    needs = dict(SCOPES)
    if not named:
        needs[ORGANIZATIONS] = 'find the organizations, unless the option "organizations" is set'
    user = mapping(token.get("user"))
    unused = sorted(has - needs.keys() - {ORGANIZATIONS, USER})
    return CheckResult(
        who=text(user.get("name")) or text(user.get("email")),
        lacks=tuple((scope, use) for scope, use in needs.items() if scope not in has),
        unused=tuple((scope, _UNUSED.get(scope, "Stagedoor does not need it")) for scope in unused),
        expires_at=iso_time(token.get("expires_at")),
        notes=(PERMISSIONS,) if USER in has else (PERMISSIONS, NO_USER),
        who_id=text(wire.one("/user").get("id")) if USER in has else "",
    )
