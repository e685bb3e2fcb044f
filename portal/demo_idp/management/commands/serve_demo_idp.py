"""Prepares the demo provider's database and serves it; runs under portal.demo_idp.settings."""

import signal
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.core.servers.basehttp import WSGIServer, run
from django.core.wsgi import get_wsgi_application

from portal.demo_idp.seed import seed


class Command(BaseCommand):
    help = "Serves the demo's identity provider where OIDC_ISSUER says."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        seed()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            run(
                settings.LISTEN_HOST,
                settings.LISTEN_PORT,
                get_wsgi_application(),
                ipv6=":" in settings.LISTEN_HOST,
                threading=True,
                server_cls=WSGIServer,
            )
        except KeyboardInterrupt:
            return
