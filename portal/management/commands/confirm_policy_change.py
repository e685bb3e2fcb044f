"""`manage.py confirm_policy_change N`: where there is one administrator only, whoever has the
server's console is the second person."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import HttpRequest

from portal import policy_changes
from portal.models import PolicyChange
from portal.operator import operator


class Command(BaseCommand):
    help = "Confirms a change of policy that waits for a second person."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int, help="as the change's page says")

    def handle(self, *args: Any, **options: Any) -> None:
        change = PolicyChange.objects.filter(pk=options["number"]).first()
        if change is None:
            raise CommandError("There is no such change.")
        request = HttpRequest()
        request.user = change.author
        try:
            policy_changes.confirm(change, request, shown="", operator=operator())
        except policy_changes.Refusal as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(f"Applied: {change.label}")
