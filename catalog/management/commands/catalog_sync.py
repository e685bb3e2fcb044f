"""Reads catalog sources now, in this process: `manage.py catalog_sync [SOURCE …]`."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog import runs, sync
from catalog.models import Source, SyncRun

WIDTH = 30
# Redrawing more often would cost more than it shows.
REDRAW_SECONDS = 0.1


class Command(BaseCommand):
    help = "Reads catalog sources and applies what they hold. Exit code 1 when one of them failed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", nargs="*", help="slug of a source; none: all that are on")

    def handle(self, *args: Any, **options: Any) -> None:
        sources = _sources(options["source"])
        if not sources:
            self.stdout.write("There is no source to read. Add one in the administration.")
            return
        failed = [source.slug for source in sources if not self._sync(source)]
        if failed:
            raise CommandError(f"Not read: {', '.join(failed)}.")

    def _sync(self, source: Source) -> bool:
        run = runs.request(source, SyncRun.Cause.COMMAND)
        bar = Bar(self.stdout, source.slug)
        done = sync.run(run.pk, bar.show)
        bar.clear()
        if done is None:
            self.stderr.write(f"{source.slug}: being read by a worker already; try again later.")
            return False
        if done.state == SyncRun.State.FAILED:
            self.stderr.write(f"{source.slug}: {done.message}")
            return False
        self.stdout.write(f"{source.slug}: {done.message}")
        for issue in source.issues.all()[:20]:
            place = f"{issue.location}:{issue.line or 1}:{issue.column or 1}"
            self.stdout.write(f"  {place}: {issue.message}")
        return True


class Bar:
    """One line that redraws itself; without a terminal, nothing but what the command says."""

    def __init__(self, stream: Any, label: str) -> None:
        self._stream = stream
        self._label = label
        self._live = stream.isatty()
        self._drawn = 0.0

    def show(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._live or (now - self._drawn < REDRAW_SECONDS and done < total):
            return
        self._drawn = now
        filled = WIDTH * done // max(total, 1)
        bar = "#" * filled + "-" * (WIDTH - filled)
        self._write(f"{self._label} [{bar}] {done:,} of {total:,} {phase}")

    def clear(self) -> None:
        if self._live:
            self._write("")

    def _write(self, text: str) -> None:
        # Back to the margin, and rub out what is left of the longer line before.
        self._stream.write(f"\r{text}\x1b[K", ending="")
        self._stream.flush()


def _sources(slugs: list[str]) -> list[Source]:
    if not slugs:
        return list(Source.objects.filter(enabled=True))
    found = {source.slug: source for source in Source.objects.filter(slug__in=slugs)}
    unknown = sorted(set(slugs) - set(found))
    if unknown:
        known = ", ".join(Source.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(f"No such source: {', '.join(unknown)}. There are: {known}.")
    return [found[slug] for slug in dict.fromkeys(slugs)]
