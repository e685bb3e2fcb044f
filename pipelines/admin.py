"""Django admin of pipelines: rules are configured here, the rest is looked at.

The servers' own page is in server_admin.py, those of environments and freezes in
environment_admin.py.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from pipelines import environment_admin, linking, server_admin
from pipelines.accounts import own_account
from pipelines.models import (
    Build,
    LinkProblem,
    Pipeline,
    PipelineLink,
    Trigger,
    VendorAccount,
)
from portal.audited_admin import AuditedModelAdmin, ReadOnlyAdmin

__all__ = ["environment_admin", "server_admin"]  # they register themselves when imported


@admin.register(Pipeline)
class PipelineAdmin(ReadOnlyAdmin):
    list_display = ["name", "server", "external_id", "runnable", "builds_read_at", "gone_at"]
    list_filter = ["server", "runnable"]
    list_select_related = ["server"]
    search_fields = ["name", "external_id", "repository"]
    show_full_result_count = False


@admin.register(PipelineLink)
class PipelineLinkAdmin(ReadOnlyAdmin):
    """Links come from annotations. Here an administrator gives or takes back their word."""

    list_display = ["entity", "pipeline", "server", "status", "reason", "confirmed_by"]
    list_filter = ["status", "pipeline__server"]
    list_select_related = ["entity", "pipeline__server", "confirmed_by"]
    search_fields = ["entity__ref", "pipeline__external_id"]
    actions = ["confirm", "unconfirm"]

    @admin.display(description="server", ordering="pipeline__server__name")
    def server(self, link: PipelineLink) -> str:
        return link.pipeline.server.name

    @admin.action(description="Confirm: may trigger", permissions=["view"])
    def confirm(self, request: HttpRequest, links: QuerySet[PipelineLink]) -> None:
        self._decide(request, links, given=True)

    @admin.action(description="Take the confirmation back", permissions=["view"])
    def unconfirm(self, request: HttpRequest, links: QuerySet[PipelineLink]) -> None:
        self._decide(request, links, given=False)

    def _decide(self, request: HttpRequest, links: QuerySet[PipelineLink], *, given: bool) -> None:
        """Asks policy for each; being an administrator opens nothing."""
        decide = linking.confirm if given else linking.unconfirm
        for link in links:
            decision = decide(request.user, link.pk, request)
            link.refresh_from_db()
            said = f"{link.get_status_display()}. {link.reason}"
            level = messages.SUCCESS if decision.allowed else messages.ERROR
            text = said if decision.allowed else decision.reason
            self.message_user(request, f"{link}: {text}", level)


@admin.register(LinkProblem)
class LinkProblemAdmin(ReadOnlyAdmin):
    list_display = ["entity", "annotation", "value", "location", "line", "message"]
    list_select_related = ["entity"]
    search_fields = ["entity__ref", "value"]


@admin.register(Trigger)
class TriggerAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "action", "pipeline", "asked_by", "state", "message"]
    list_filter = ["state", "action", "environment"]
    list_select_related = ["pipeline"]
    search_fields = ["request_id", "actor_name", "pipeline__external_id"]
    show_full_result_count = False


class VendorAccountForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        server, account_id = given.get("server"), str(given.get("account_id", ""))
        if server is not None and account_id == own_account(server):
            raise ValidationError(
                "This is the account of Stagedoor's own credential, through which everybody starts "
                "builds. It is nobody's."
            )
        return given


@admin.register(VendorAccount)
class VendorAccountAdmin(AuditedModelAdmin):
    """Whose an account on a server is. It shows names on builds and gives no right."""

    form = VendorAccountForm
    fields = ["server", "account_id", "user", "note"]
    list_display = ["account_id", "server", "user", "note", "linked_at"]
    list_filter = ["server"]
    list_select_related = ["server", "user"]
    search_fields = ["account_id", "user__username", "note"]
    autocomplete_fields = ["user"]


@admin.register(Build)
class BuildAdmin(ReadOnlyAdmin):
    list_display = ["pipeline", "number", "state", "raw_state", "branch", "who", "observed_at"]
    list_filter = ["state"]
    list_select_related = ["pipeline"]
    search_fields = ["external_id", "commit", "pipeline__external_id"]
    show_full_result_count = False
