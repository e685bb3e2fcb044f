"""Reads a running Backstage's catalog: `manage.py catalog_import_backstage https://backstage…`.

For trying Stagedoor beside it. It makes a source, or finds the one of that address, and reads it;
the source is read again on its schedule until it is switched off.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count

from catalog import register, runs, sync
from catalog.management.commands.catalog_sync import Bar
from catalog.models import Source, SyncRun
from catalog.sources import SourceFailed

SHOWN_PROBLEMS = 20


class Command(BaseCommand):
    help = "Reads the catalog of a running Backstage into a source of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "url", help="of Backstage's backend, for example https://backstage.acme.example"
        )
        parser.add_argument(
            "--credential",
            default="",
            metavar="env:NAME",
            help="where the token is that Backstage takes (backend.auth.externalAccess); "
            "never the token itself",
        )
        parser.add_argument(
            "--name", default="", help='what the source is called; else "Backstage"'
        )
        parser.add_argument(
            "--filter",
            action="append",
            default=[],
            help="Backstage's own filter, for example kind=component; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            source, made = register.backstage_source(
                options["url"], options["credential"], options["name"], options["filter"]
            )
        except SourceFailed as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f'{"Made" if made else "Found"} the source "{source}" ({source.slug}).')
        bar = Bar(self.stdout, source.slug)
        done = sync.run(runs.request(source, SyncRun.Cause.COMMAND).pk, bar.show)
        bar.clear()
        if done is None:
            raise CommandError("A worker reads it already; its page shows how that goes.")
        if done.state == SyncRun.State.FAILED:
            raise CommandError(done.message)
        self._tell(source, done)

    def _tell(self, source: Source, done: SyncRun) -> None:
        """What came, by kind, and what is wrong with it."""
        self.stdout.write(done.message)
        kinds = source.entities.values_list("kind").annotate(Count("pk")).order_by("kind")
        for kind, count in kinds:
            self.stdout.write(f"  {count:>7,} {kind}")
        issues = source.issues.all()
        for issue in issues[:SHOWN_PROBLEMS]:
            self.stdout.write(f"  {issue.entity_ref or issue.location}: {issue.message}")
        if (left := issues.count() - SHOWN_PROBLEMS) > 0:
            self.stdout.write(f"  and {left:,} more problems, on the source's page")
