"""`manage.py demo_idp`: the demo's identity provider, which is a project of its own."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Runs the demo's identity provider on loopback, where OIDC_ISSUER says."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError(
                "The demo identity provider knows everybody's password and does not run in "
                "production. Set OIDC_ISSUER to your company's provider."
            )
        self.stdout.write(f"Identity provider of the demo: {settings.OIDC_OP_ISSUER}")
        self.stdout.flush()
        os.chdir(settings.BASE_DIR)
        # In place of this process, so that whoever stops it stops the provider.
        os.execv(sys.executable, [sys.executable, "-m", "portal.demo_idp"])  # noqa: S606
