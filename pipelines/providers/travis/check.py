"""The connection test: whose token it is, and the key by which Travis CI signs webhooks."""

from pipelines.providers.base import CheckResult
from pipelines.providers.errors import InvalidResponse, NotFound, Rejected
from pipelines.providers.travis.parse import vcs_of
from pipelines.providers.travis.wire import TravisWire
from pipelines.providers.wire import integer, mapping, text

NOTES = (
    "The token expires 90 days after its last use; this test counts as one and keeps it alive.",
    "A Travis CI token has no scopes: it holds all rights of its user, so use one of its own.",
    "Which repositories it may start and cancel is decided by the user's role in each of them.",
)


def check(wire: TravisWire, vcs: str) -> CheckResult:
    """`vcs`: where the option says that the repositories are."""
    user = wire.ask("/user").data
    login = text(user.get("login"))
    if not login:
        raise wire.misshapen()
    notes = list(NOTES)
    if vcs_of(user) not in ("", vcs):
        notes.append(f'The user is one of {vcs_of(user)}: set the option "vcs" to that.')
    key = _public_key(wire)
    if not key:
        notes.append("Travis CI tells no public key, so webhooks can't be checked.")
    return CheckResult(
        who=login,
        notes=tuple(notes),
        who_id=str(integer(user.get("id")) or ""),
        public_keys=(key,) if key else (),
    )


def _public_key(wire: TravisWire) -> str:
    try:
        config = mapping(wire.ask("/config").data.get("config"))
    except (NotFound, Rejected, InvalidResponse):
        return ""
    return text(mapping(mapping(config.get("notifications")).get("webhook")).get("public_key"))
