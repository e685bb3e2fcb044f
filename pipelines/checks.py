"""Is a server reachable, who is its credential, and does anything wait too long?"""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from pipelines.models import Server, Trigger
from pipelines.outbox import State
from pipelines.providers.base import CheckResult
from pipelines.providers.errors import ProviderError
from pipelines.servers import client_for, note_failure, note_success
from portal.health import Check

# Sent by a tick within seconds; longer means that no worker sends.
OVERDUE = timedelta(minutes=2)


def test_connection(server: Server) -> dict[str, Any]:
    """Asks the server who the credential is and keeps the answer as `check_result`.

    Gives {"ok": True, "who", "version", "lacks": [[right, what for]], "unused": the same,
    "expires_at": ISO time or "", "notes": [...]}, or {"ok": False, "error": a sentence}. Never
    raises for what the server does. Clears the wait that earlier failures asked for.
    """
    now = timezone.now()
    try:
        result = client_for(server).check()
    except ProviderError as error:
        answer: dict[str, Any] = {"ok": False, "error": str(error)}
        note_failure(server, error)
    else:
        answer = {"ok": True, **_plain(result)}
        note_success(server)
    Server.objects.filter(pk=server.pk).update(checked_at=now, check_result=answer)
    return answer


def sentences(server_name: str, answer: dict[str, Any]) -> list[tuple[str, str]]:
    """A connection test in words: (level, sentence), the level being success, warning or error."""
    if not answer.get("ok"):
        return [("error", f"{server_name}: {answer.get('error', 'not tested yet')}")]
    version = f", {answer['version']}" if answer["version"] else ""
    said = [("success", f"{server_name} answers{version}. The credential is {answer['who']}.")]
    said += [
        ("warning", f"It lacks {right}, needed to {purpose}.") for right, purpose in answer["lacks"]
    ]
    said += [
        ("warning", f"It holds {right}, which Stagedoor does not use: {purpose}.")
        for right, purpose in answer["unused"]
    ]
    if answer["expires_at"]:
        said.append(("warning", f"It expires on {answer['expires_at'][:10]}."))
    return said + [("warning", note) for note in answer["notes"]]


def health_checks() -> list[Check]:
    """One check for all servers, without their names: anybody may ask; and one for the outbox."""
    return [_servers(), _outbox(timezone.now())]


def _servers() -> Check:
    servers = list(Server.objects.filter(enabled=True))
    silent = sum(server.unreachable_since is not None for server in servers)
    failed = sum(bool(server.last_error and not server.unreachable_since) for server in servers)
    if not silent and not failed:
        return Check("servers", True, "Every CI server answers.")
    parts = [f"{silent} not reached"] if silent else []
    parts += [f"{failed} could not be read"] if failed else []
    message = f"Of {len(servers)} CI servers, {' and '.join(parts)}. The administration says why."
    return Check("servers", False, message)


def _outbox(now: datetime) -> Check:
    waiting = Trigger.objects.filter(state=State.QUEUED, not_before__lt=now - OVERDUE).count()
    dead = Trigger.objects.filter(state=State.DISPATCHING, claimed_until__lt=now - OVERDUE).count()
    if waiting or dead:
        return Check(
            "outbox",
            False,
            f"{waiting + dead} requested builds wait to be sent for more than two minutes. "
            "Start a worker: celery -A portal worker.",
        )
    return Check("outbox", True, "All that was asked for has been sent.")


def _plain(result: CheckResult) -> dict[str, Any]:
    return {
        "who": result.who,
        "version": result.version,
        "lacks": [list(pair) for pair in result.lacks],
        "unused": [list(pair) for pair in result.unused],
        "expires_at": result.expires_at.isoformat() if result.expires_at else "",
        "notes": list(result.notes),
    }
