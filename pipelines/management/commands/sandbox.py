"""`manage.py sandbox`: the stand-in CI with the demo's pipelines, until Ctrl-C or SIGTERM."""

import secrets
import signal
import threading
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from pipelines.sandbox.definitions import load
from pipelines.sandbox.demo import DEFINITION
from pipelines.sandbox.engine import World
from pipelines.sandbox.server import Sandbox


class Command(BaseCommand):
    """Needs no database: the sandbox is a world of its own."""

    help = "Runs the stand-in CI (Jenkins and Buildkite) on loopback."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="A loopback address.")
        parser.add_argument("--port", type=int, default=9800, help="0 for any free one.")
        parser.add_argument("--state", type=Path, help="Keep builds in this file between runs.")
        parser.add_argument(
            "--speed", type=float, default=1.0, help="2 makes builds twice as fast."
        )
        parser.add_argument("--control-token", default="", help="For /_control; made up if empty.")

    def handle(self, *, host: str, port: int, speed: float, **options: object) -> None:
        if speed <= 0:
            raise CommandError("--speed must be more than 0.")
        world = World(speed)
        load(world, DEFINITION)
        control_token = str(options["control_token"]) or secrets.token_urlsafe(16)
        try:
            sandbox = Sandbox(world, host, port, control_token)
        except (ValueError, OSError) as error:
            raise CommandError(f"The sandbox can't listen on {host}:{port}: {error}") from error
        ended = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: ended.set())
        sandbox.start()
        self._introduce(sandbox, control_token)
        ended.wait()
        sandbox.stop()
        self.stdout.write("Sandbox ended.")

    def _introduce(self, sandbox: Sandbox, control_token: str) -> None:
        self.stdout.write(f"Sandbox CI at {sandbox.url}/")
        for instance in sandbox.world.instances.values():
            tail = "/v2" if instance.vendor == "buildkite" else ""
            count = len(instance.pipelines)
            self.stdout.write(
                f"  {instance.vendor:10} {sandbox.url}/{instance.prefix}{tail}  {count} pipelines"
            )
        self.stdout.write(
            f"  control    {sandbox.url}/_control  X-Sandbox-Control: {control_token}"
        )
        self.stdout.flush()
