"""Reads a build's steps and log from its server, once for all who look.

Every reading is kept for a moment, so that a hundred viewers of one log cost the vendor what one
costs. Nothing is held that is larger than one chunk of an adapter.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.core.signing import BadSignature, Signer
from django.utils import timezone

from catalog.models import Entity
from pipelines import bounds
from pipelines.log_lines import LogLine, fold_after, forms_of, masked, plain, render
from pipelines.models import Build, Server
from pipelines.providers.base import Capability, LogChunk, State, Step
from pipelines.servers import admit, client_for
from pipelines.sharing import key_of, shared
from portal.credential_ages import references
from portal.credentials import CredentialError, resolve
from portal.process_cache import answers

# Seconds that a reading of a moving build serves all viewers.
STEPS_SECONDS = 10
LOG_SECONDS = 4
# A finished step's log does not change; kept long enough for a review.
FINISHED_SECONDS = 300
EXPORT_MAX = 10_000_000  # characters of a log that are exported
EXPORT_CHUNKS = 50
# More lines than these no browser takes at once, and more characters of one line nobody sees.
MAX_LINES = 20_000
MAX_TAIL = 50_000


@dataclass(frozen=True)
class LogPage:
    """The lines that follow what a viewer has; the `next_…` values continue them."""

    lines: list[LogLine]
    next_offset: int
    next_line: int
    done: bool
    restarted: bool = False
    truncated: bool = False
    next_fold: int = 0


def steps_of(build: Build) -> list[Step]:
    """The build's steps, newest knowledge; raises ProviderError."""

    def ask() -> tuple[list[Step], int]:
        admit(build.pipeline.server)
        client = client_for(build.pipeline.server)
        if Capability.STEPS not in client.capabilities:
            return [], FINISHED_SECONDS
        found = client.steps(build.pipeline.external_id, build.external_id)
        steps = [replace(step, name=bounds.text(step.name, 300)) for step in found]
        return steps, FINISHED_SECONDS if build.is_final else STEPS_SECONDS

    return shared(key_of("steps", build.pk, build.state), ask)


def step_to_show(steps: list[Step], wanted: str = "") -> Step | None:
    """The step that was asked for; else what a person looks for: failed, running, last begun."""
    with_log = [step for step in steps if step.log_id]
    for step in with_log:
        if step.id == wanted:
            return step
    for state in (State.FAILED, State.RUNNING):
        for step in with_log:
            if step.state is state:
                return step
    begun = [step for step in with_log if step.state is not State.QUEUED]
    return next(iter([*begun[-1:], *with_log[-1:]]), None)


def read(build: Build, log_id: str, offset: int = 0, first_line: int = 1, fold: int = 0) -> LogPage:
    """The log from `offset` on, as numbered lines; raises ProviderError.

    A chunk may end within a line: the rest is held back until the line is whole, and kept under
    the next offset so that whoever asks for that continues it.
    """
    chunk = _chunk(build, log_id, offset)
    if chunk.restarted:
        offset, first_line, fold = 0, 1, 0
    text = answers.get(key_of("tail", build.pk, log_id, offset), "") + chunk.text
    if not chunk.done:
        text, _, tail = text.rpartition("\n")
        text += "\n" if text else ""
        # Of a line without an end its beginning, by which it is shown; see log_lines.
        tail = tail.rstrip("\r").rpartition("\r")[2][:MAX_TAIL]
        key = key_of("tail", build.pk, log_id, chunk.next_offset)
        # Whoever began within the line, as an address may ask for, holds only a part of it.
        known = answers.get(key, "") if offset else ""
        answers.set(key, max(tail, known, key=len), FINISHED_SECONDS)
    text, left_out = _newest(text)
    first_line += left_out
    text = masked(text, secrets_of(build.pipeline.server))
    lines = render(text, first_line, fold)
    return LogPage(
        lines=lines,
        next_offset=chunk.next_offset,
        next_line=first_line + len(lines),
        done=chunk.done,
        restarted=chunk.restarted,
        truncated=chunk.truncated or left_out > 0,
        next_fold=fold_after(text, first_line, fold),
    )


def mark_of(build: Build, step_id: str, offset: int) -> str:
    """The offset as an address carries it.

    Signed: whoever chooses where a reading begins could begin within a secret, of which the rest
    would not be found and masked, and each new place would be one more question to the server.
    """
    return _signer(build, step_id).sign(str(offset))


def offset_of(build: Build, step_id: str, mark: str) -> int:
    """What mark_of() was given; the beginning for what is not of this log."""
    try:
        return int(_signer(build, step_id).unsign(mark))
    except BadSignature:
        return 0


def _signer(build: Build, step_id: str) -> Signer:
    return Signer(salt=f"log:{build.pk}:{step_id}")


def _newest(text: str) -> tuple[str, int]:
    """The last MAX_LINES lines, and how many were left out."""
    more = text.count("\n") - MAX_LINES
    if more <= 0:
        return text, 0
    return text.split("\n", more)[-1], more


def export(build: Build, log_id: str) -> str:
    """The log as plain text, as far as it is there; raises ProviderError.

    A log that is larger than what an adapter reads begins later, and one beyond EXPORT_MAX ends
    earlier; both are said in the text.
    """
    pieces: list[str] = []
    size = offset = 0
    for _ in range(EXPORT_CHUNKS):
        chunk = _chunk(build, log_id, offset)
        if chunk.restarted:
            pieces, size = [], 0
        if chunk.truncated:
            pieces.append("[The beginning is left out because the log is large.]\n")
        pieces.append(chunk.text)
        size += len(chunk.text)
        if chunk.done or chunk.next_offset == offset or not chunk.text:
            break
        offset = chunk.next_offset
        if size > EXPORT_MAX:
            pieces.append("\n[The rest is left out because the log is large.]\n")
            break
    return plain(masked("".join(pieces), secrets_of(build.pipeline.server)))


def log_head(build: Build, step: str, entities: Iterable[Entity]) -> str:
    """The first lines of an exported log: whose build it is, as the vendor's page says it too."""
    trigger = build.trigger
    facts = {
        "Pipeline": f"{build.pipeline.name} on {build.pipeline.server.name}",
        "Build": f"{build.label}, {build.state}",
        "Step": step,
        "Service": ", ".join(entity.ref for entity in entities),
        "Repository": build.pipeline.repository,
        "Branch": build.branch,
        "Commit": build.commit,
        "Person": trigger.asked_by if trigger else f"{build.who} (not through Stagedoor)",
        "Owner": trigger.team if trigger else "",
        "Environment": str(trigger.environment or "") if trigger else "",
        "Request id": str(trigger.request_id) if trigger else "",
        "Read": f"{timezone.now():%Y-%m-%d %H:%M:%S %Z}",
    }
    words = ((name, " ".join(bounds.text(str(value)).split())) for name, value in facts.items())
    return "".join(f"# {name}: {value}\n" for name, value in words if value)


def secrets_of(server: Server) -> set[str]:
    """What Stagedoor itself sends to this server and a build could print: whole, in parts, and as
    it stands in a header or an address."""
    values: set[str] = set()
    for reference in (server.credential_ref, *references(server.webhook_secret_ref)):
        try:
            value = resolve(reference).reveal()
        except CredentialError:
            continue
        # Jenkins' `user:token`: the user's name is no secret, the token is.
        values |= {value, value.partition(":")[2]}
    return {form for value in values - {""} for form in forms_of(value)}


def _chunk(build: Build, log_id: str, offset: int) -> LogChunk:
    def ask() -> tuple[LogChunk, int]:
        admit(build.pipeline.server)
        client = client_for(build.pipeline.server)
        chunk = client.log(build.pipeline.external_id, build.external_id, log_id, offset)
        return chunk, FINISHED_SECONDS if chunk.done else LOG_SECONDS

    return shared(key_of("log", build.pk, log_id, offset), ask)
