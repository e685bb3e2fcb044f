"""`manage.py sandbox`: the stand-in CI with the demo's pipelines, until Ctrl-C or SIGTERM."""

import os
import secrets
import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from pipelines.sandbox.definitions import add_hook, load
from pipelines.sandbox.demo import DEFINITION
from pipelines.sandbox.engine import World
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.state import BadState, Keeper, restore
from pipelines.sandbox.vendors import VENDORS
from portal.processes import DEMO_WEBHOOK_SECRET


class Command(BaseCommand):
    """Needs no database: the sandbox is a world of its own."""

    help = "Runs the stand-in CI of five vendors on loopback."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        known = urlsplit(settings.SANDBOX_URL)
        parser.add_argument("--host", default=known.hostname, help="A loopback address.")
        parser.add_argument("--port", type=int, default=known.port, help="0 for any free one.")
        state = settings.DATA_DIR / "sandbox.json"
        parser.add_argument(
            "--state", type=Path, default=state, help="The file that keeps builds between runs."
        )
        parser.add_argument("--forget", action="store_true", help="Keep nothing, read nothing.")
        parser.add_argument("--speed", type=float, default=1.0, help="2: builds take half as long.")
        parser.add_argument("--control-token", default="", help="For /_control; made up if empty.")

    def handle(self, *, host: str, port: int, speed: float, **options: Any) -> None:
        if speed <= 0:
            raise CommandError("--speed must be more than 0.")
        world = World(speed)
        load(world, DEFINITION)
        self._send_hooks(world)
        if not options["forget"]:
            self._restore(world, options["state"])
        control_token = options["control_token"] or secrets.token_urlsafe(16)
        try:
            sandbox = Sandbox(world, host, port, control_token)
        except (ValueError, OSError) as error:
            raise CommandError(f"The sandbox can't listen on {host}:{port}: {error}") from error
        ended = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: ended.set())
        sandbox.start()
        keeper = None if options["forget"] else Keeper(world, options["state"])
        if keeper is not None:
            keeper.start()
        self._introduce(sandbox, control_token)
        ended.wait()
        sandbox.stop()
        if keeper is not None:
            keeper.stop()
        self.stdout.write("Sandbox ended.")

    def _send_hooks(self, world: World) -> None:
        """To the demo's portal, where `manage.py run` hands both a secret."""
        secret = os.environ.get(DEMO_WEBHOOK_SECRET, "")
        for instance in world.instances.values() if secret else ():
            behind = VENDORS[instance.vendor].hook_path(secret)
            address = f"{settings.PORTAL_URL}/hooks/{instance.prefix}/{behind}"
            add_hook(instance, {"url": address, "secret": secret})

    def _restore(self, world: World, path: Path) -> None:
        try:
            restore(world, path)
        except (BadState, OSError) as error:
            raise CommandError(str(error)) from error

    def _introduce(self, sandbox: Sandbox, control_token: str) -> None:
        self.stdout.write(f"Sandbox CI at {sandbox.url}/")
        for instance in sandbox.world.instances.values():
            address = f"{sandbox.url}/{instance.prefix}{VENDORS[instance.vendor].api}"
            count = len(instance.pipelines)
            self.stdout.write(f"  {instance.vendor:10} {address}  {count} pipelines")
        self.stdout.write(
            f"  control    {sandbox.url}/_control  X-Sandbox-Control: {control_token}"
        )
        self.stdout.flush()
