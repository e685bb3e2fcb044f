"""`manage.py remove_second_factor NAME`: for who has lost theirs, and their recovery codes with it.

Not in the administration: with it, and a password, an administrator would be a second person.
"""

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from portal import audit
from portal.operator import operator

audit.register("account.factor", "removed the second factors of a local account")


class Command(BaseCommand):
    help = "Removes the second factors of a local account, which adds one at its next sign-in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the account's user name")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["name"]).first()
        if user is None:
            raise CommandError("There is no account of that name.")
        removed, _ = Authenticator.objects.filter(user=user).delete()
        audit.record(
            "account.factor",
            target=f"user: {user.get_username()}",
            reason=f"by {operator()}, on the server",
            data={"removed": removed},
        )
        self.stdout.write(f"Removed: {removed}. {user} adds one at the next sign-in.")
