"""Is a server reachable, who is its credential, and does anything wait too long?"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from pipelines.bounds import text
from pipelines.budget import Purpose
from pipelines.models import Server, Trigger
from pipelines.outbox import State
from pipelines.providers.base import CheckResult
from pipelines.providers.errors import BudgetSpent, ProviderError
from pipelines.servers import client_for, note_failure, note_success, pause_over, probes
from portal import credential_ages
from portal.health import Check
from portal.models import Credential

# Sent by a tick within seconds; longer means that no worker sends.
OVERDUE = timedelta(minutes=2)
# How often each server is tested by itself: some tokens end when they are not used for days.
EVERY = timedelta(hours=6)
AFTER_FAILURE = timedelta(minutes=10)
LEASE = timedelta(minutes=5)
MAX_KEYS = 10


def ask_who(server: Server, purpose: Purpose = Purpose.ACT) -> dict[str, Any]:
    """Asks the server who the credential is and keeps the answer as `check_result`.

    Gives {"ok": True, "who", "who_id", "version", "lacks": [[right, what for]], "unused": the
    same, "expires_at": ISO time or "", "notes": [...]}, or {"ok": False, "error": a sentence}.
    Never raises for what the server does. Clears the wait that earlier failures asked for.
    """
    now = timezone.now()
    _note_credentials(server)
    values: dict[str, Any] = {}
    try:
        result = client_for(server, purpose).check()
    except BudgetSpent as error:
        # Says nothing about the server: what is known of it stands.
        return {"ok": False, "error": str(error)}
    except ProviderError as error:
        answer: dict[str, Any] = {"ok": False, "error": str(error)}
        note_failure(server, error)
    else:
        answer = {"ok": True, **_plain(result)}
        note_success(server)
        credential_ages.tell_expiry(server.credential_ref, result.expires_at)
        if result.public_keys:
            values["hook_keys"] = [text(key) for key in result.public_keys[:MAX_KEYS]]
    Server.objects.filter(pk=server.pk).update(checked_at=now, check_result=answer, **values)
    return answer


def check(server_id: int) -> bool:
    """The test that runs by itself; False when it is not due or another worker has it.

    It is also what tries whether a server that did not answer is back.
    """
    now = timezone.now()
    server = Server.objects.filter(pk=server_id, enabled=True).first()
    if server is None:
        return False
    due_row = Server.objects.filter(pk=server_id, check_due_at__lte=now)
    # What people asked for waits until a server that did not answer is found to be back.
    is_probe = server.failures > 0
    if not (probes(server, now) if is_probe else due_row.update(check_due_at=now + LEASE)):
        return False
    ok = ask_who(server, Purpose.ACT if is_probe else Purpose.SWEEP)["ok"]
    again = timezone.now() + (EVERY if ok else AFTER_FAILURE)
    Server.objects.filter(pk=server_id).update(check_due_at=again)
    return True


def due(now: datetime) -> list[int]:
    """Ids of the servers to test: by the clock, and when the pause after a failure is over."""
    wanted = Q(check_due_at__lte=now) | Q(failures__gt=0)
    servers = Server.objects.filter(pause_over(now), wanted, enabled=True)
    return list(servers.order_by("check_due_at").values_list("pk", flat=True))


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
    """For all servers together, without their names, because anybody may ask; and the outbox."""
    now = timezone.now()
    return [_servers(), _outbox(now), _credentials(now)]


def _servers() -> Check:
    servers = list(Server.objects.filter(enabled=True))
    silent = sum(server.unreachable_since is not None for server in servers)
    failed = sum(bool(server.last_error and not server.unreachable_since) for server in servers)
    if not silent and not failed:
        return Check("servers", True, "Every CI server answers.")
    parts = [f"{silent} not reached"] if silent else []
    parts += [f"{failed} could not be read"] if failed else []
    message = f"Of {len(servers)} CI servers, {' and '.join(parts)}. The administration says why."
    return Check("servers", False, message, vital=False)


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


def _credentials(now: datetime) -> Check:
    """Only an expired one is a failure; what has to be replaced soon is said and no alarm."""
    references = Server.objects.filter(enabled=True).values_list("credential_ref", flat=True)
    used = Credential.objects.filter(reference__in=references)
    expired = used.filter(expires_at__lte=now).count()
    if expired:
        said = f"Credentials of CI servers that have expired: {expired}."
        return Check("credentials", False, said, vital=False)
    soon = credential_ages.to_replace(references, now)
    if soon:
        said = f"Credentials of CI servers that should be replaced soon: {soon}."
        return Check("credentials", True, said)
    return Check("credentials", True, "No credential of a CI server has to be replaced soon.")


def _note_credentials(server: Server) -> None:
    for reference in credential_ages.references(server.credential_ref, server.webhook_secret_ref):
        credential_ages.note_use(reference)


def _plain(result: CheckResult) -> dict[str, Any]:
    return {
        "who": result.who,
        "who_id": result.who_id,
        "version": result.version,
        "lacks": [list(pair) for pair in result.lacks],
        "unused": [list(pair) for pair in result.unused],
        "expires_at": result.expires_at.isoformat() if result.expires_at else "",
        "notes": list(result.notes),
    }
