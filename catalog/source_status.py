"""How a source is, in one word and one sentence; pages and the health check ask the same."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from catalog.models import Source, SyncRun
from portal.health import Check

# A source that was not read for so many of its intervals is overdue.
OVERDUE_INTERVALS = 3


@dataclass(frozen=True)
class SourceStatus:
    """`state` is a word of the state badge."""

    state: str
    sentence: str = ""


def status_of(source: Source, open_run: SyncRun | None, now: datetime) -> SourceStatus:
    """Green only for what was read lately and wholly."""
    if open_run is not None:
        return SourceStatus(open_run.state)
    if not source.enabled:
        return SourceStatus("skipped", "Switched off.")
    if source.last_error:
        return SourceStatus("failed", source.last_error)
    if is_overdue(source, now):
        return SourceStatus("unknown", "Overdue: nothing has read it when it was due.")
    if source.last_success_at is None:
        return SourceStatus("unknown", "Not read yet.")
    return SourceStatus("passed")


def is_overdue(source: Source, now: datetime) -> bool:
    grace = timedelta(seconds=OVERDUE_INTERVALS * source.interval_seconds)
    return source.enabled and source.next_due_at < now - grace


def health_checks() -> list[Check]:
    """One check for all sources, without their names: anybody may ask for it."""
    now = timezone.now()
    sources = list(Source.objects.filter(enabled=True))
    failed = sum(bool(source.last_error) for source in sources)
    overdue = sum(is_overdue(source, now) for source in sources if not source.last_error)
    if not failed and not overdue:
        return [Check("catalog", True, "Every catalog source is read on schedule.")]
    parts = [f"{failed} could not be read"] if failed else []
    parts += [f"{overdue} not read when due"] if overdue else []
    message = (
        f"Of {len(sources)} catalog sources, {' and '.join(parts)}. The sources page says why."
    )
    return [Check("catalog", False, message, vital=False)]
