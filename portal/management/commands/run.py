"""`manage.py run`: everything that makes a running portal, started and ended together."""

import threading
import time
import urllib.error
import urllib.request
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.utils import timezone

from portal.demo_idp.people import PEOPLE
from portal.models import Heartbeat
from portal.processes import Part, Supervisor, busy, parts

# A first start on a slow machine compiles all of Python's files.
START_SECONDS = 120


class Command(BaseCommand):
    help = "Sets up, then runs web server, worker and beat (in the demo: sandbox and provider too)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--without",
            action="append",
            default=[],
            choices=[*(part.name for part in parts()), "beat"],
            help="leave this process out, to start it by hand",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = parts(options["without"])
        self._refuse_busy_ports(found)
        try:
            call_command("setup", stdout=self.stdout, stderr=self.stderr)
        except KeyboardInterrupt:
            self.stdout.write("Stopped before the start.")
            return
        # The processes below are forks of this one; a connection can't be shared with them.
        connections.close_all()
        self.stdout.write(f"Starting {', '.join(part.name for part in found)}")
        supervisor = Supervisor(found)
        threading.Thread(target=self._announce, args=(found,), daemon=True).start()
        supervisor.loop()
        if supervisor.ended_by_itself:
            raise CommandError(
                f"{supervisor.ended_by_itself} ended by itself, so everything was stopped. "
                "What it said last stands above."
            )
        self.stdout.write("Stopped.")

    def _refuse_busy_ports(self, found: list[Part]) -> None:
        variables = {"web": "PORTAL_URL", "idp": "OIDC_ISSUER", "sandbox": "SANDBOX_URL"}
        sentences = [
            f"Port {part.listens[1]} is in use, which {part.name} needs. Stop what uses it "
            f"(another Stagedoor?), or choose another: {variables[part.name]}="
            f"http://127.0.0.1:{part.listens[1] + 100}"
            for part in busy(found)
            if part.listens
        ]
        if sentences:
            raise CommandError("\n".join(sentences))

    def _announce(self, found: list[Part]) -> None:
        """Once everything runs: the address, and who can sign in."""
        began, deadline = timezone.now(), time.monotonic() + START_SECONDS
        waiting = found
        while waiting and time.monotonic() < deadline:
            waiting = [part for part in waiting if not _runs(part, began)]
            time.sleep(0.1)
        connections.close_all()
        if waiting:
            names = ", ".join(part.name for part in waiting)
            self.stdout.write(f"Still no answer from {names} after {START_SECONDS} s.")
            return
        self.stdout.write(self._welcome())
        self.stdout.flush()

    def _welcome(self) -> str:
        lines = ["", f"Stagedoor is ready:  {settings.PORTAL_URL}/", ""]
        if settings.ENVIRONMENT == "demo":
            lines.append("Sign in with the company account as one of these people:")
            width = max(len(person.username) for person in PEOPLE)
            secret = max(len(person.password) for person in PEOPLE)
            lines += [
                f"  {person.username:{width}}  {person.password:{secret}}  {person.may}"
                for person in PEOPLE
            ]
            lines.append("")
        return "\n".join([*lines, f"Ctrl-C ends it; the data stay in {settings.DATA_DIR}.", ""])


def _runs(part: Part, began: datetime) -> bool:
    """Whether it answers HTTP, with whatever status; else whether it has shown that it lives."""
    if part.listens is None:
        return Heartbeat.objects.filter(pk=part.name, seen_at__gte=began).exists()
    host, port = part.listens
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
