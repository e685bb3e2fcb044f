"""Django admin of changes that wait for a second person: what each would do, confirm, refuse."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from portal import policy_changes
from portal.access import display_name
from portal.audited_admin import ReadOnlyAdmin
from portal.effect_rows import Row, Told, told
from portal.models import PolicyChange

DONE = {
    "confirm": "It is confirmed and applied.",
    "refuse": "It is refused.",
    "withdraw": "It is taken back.",
}
# In a row as it was kept.
ROW = ("gains", "loses", "people", "may", "where", "environment", "terms")


@admin.register(PolicyChange)
class PolicyChangeAdmin(ReadOnlyAdmin):
    list_display = ["label", "author", "created_at", "state", "decided_by", "decided_at"]
    list_filter = ["state"]
    list_select_related = ["author", "decided_by"]
    search_fields = ["label", "author__username"]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        change = self.get_object(request, unquote(object_id))
        if change is None or not self.has_view_permission(request, change):
            return super().change_view(request, object_id, form_url, extra_context)
        if request.method == "POST":
            self._take(request, change)
            return redirect(request.path)
        return TemplateResponse(request, "admin/policy_change.html", self._context(request, change))

    def _take(self, request: HttpRequest, change: PolicyChange) -> None:
        verdict = request.POST.get("verdict", "")
        try:
            if verdict == "confirm":
                policy_changes.confirm(change, request, shown=request.POST.get("shown", ""))
            elif verdict == "refuse":
                policy_changes.refuse(change, request, request.POST.get("comment", ""))
            elif verdict == "withdraw":
                policy_changes.withdraw(change, request)
            else:
                return
        except policy_changes.Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return
        self.message_user(request, DONE[verdict], messages.SUCCESS)

    def _context(self, request: HttpRequest, change: PolicyChange) -> dict[str, Any]:
        waiting = change.state == PolicyChange.State.WAITING
        dry, problem = policy_changes.try_again(change, request) if waiting else (None, "")
        others = policy_changes.others(change.author)
        return {
            **self.admin_site.each_context(request),
            "title": "A change that needs a second person",
            "opts": self.opts,
            "change": change,
            "author": display_name(change.author),
            "decider": display_name(change.decided_by) if change.decided_by else "",
            "waiting": waiting,
            "own": change.author_id == request.user.pk,
            "alone": not others,
            "others": [display_name(one) for one in others],
            "problem": problem,
            "told": told(dry.lines) if dry else kept(change),
            "shown": dry.digest if dry else "",
            "values": policy_changes.values_shown(change, request),
        }


def kept(change: PolicyChange) -> Told:
    """What it would have done when it was asked for, as far as that is kept."""
    rows = [Row(**{name: row.get(name, "") for name in ROW}) for row in change.effects]
    gaining, losing = (sum(bool(row.get(name)) for row in change.effects) for name in ROW[:2])
    return Told(rows, 0, gaining, losing)
