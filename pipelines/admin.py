"""Django admin of pipelines: servers and rules are configured here, the rest is looked at."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from pipelines import checks, discovery, linking, tasks
from pipelines.models import (
    Build,
    Environment,
    EnvironmentRule,
    LinkProblem,
    Pipeline,
    PipelineLink,
    Server,
    Trigger,
)
from pipelines.server_form import ServerForm
from portal import audit
from portal.audited_admin import AuditedModelAdmin, ReadOnlyAdmin

LEVELS = {"success": messages.SUCCESS, "warning": messages.WARNING, "error": messages.ERROR}
# Each is asked while the page waits.
MAX_ASKED = 5
# What another list of pipelines follows from.
READ_AGAIN = {"provider", "base_url", "credential_ref", "options", "enabled"}

audit.register("server.check", "tested the connection to a CI server")


@admin.register(Server)
class ServerAdmin(AuditedModelAdmin):
    form = ServerForm
    list_display = ["name", "provider", "base_url", "enabled", "connection", "pipelines_read_at"]
    list_filter = ["provider", "enabled"]
    search_fields = ["name", "slug", "base_url"]
    prepopulated_fields = {"slug": ["name"]}
    readonly_fields = ["connection", "checked_at", "pipelines_read_at"]
    actions = ["test_connection", "read_pipelines"]
    unaudited_fields = (
        "checked_at",
        "check_result",
        "unreachable_since",
        "last_error",
        "not_before",
        "failures",
        "pipelines_read_at",
        "pipelines_due_at",
        "pipelines_claimed_until",
    )

    @admin.display(description="connection")
    def connection(self, server: Server) -> str:
        """The newest word: an error since then outweighs an older good test."""
        if server.last_error:
            return server.last_error
        if not server.check_result:
            return "not tested yet"
        return " ".join(text for _, text in checks.sentences(server.name, server.check_result))

    @admin.action(description="Test connection", permissions=["change"])
    def test_connection(self, request: HttpRequest, servers: QuerySet[Server]) -> None:
        for server in self._few(request, servers):
            answer = checks.test_connection(server)
            for level, sentence in checks.sentences(server.name, answer):
                self.message_user(request, sentence, LEVELS[level])
            outcome = "ok" if answer["ok"] else "failed"
            audit.record(
                "server.check",
                user=request.user,
                request=request,
                target=f"server: {server}",
                outcome=outcome,
                reason=answer.get("error", ""),
            )

    @admin.action(description="Read pipelines now", permissions=["change"])
    def read_pipelines(self, request: HttpRequest, servers: QuerySet[Server]) -> None:
        for server in self._few(request, servers):
            if discovery.discover(server.pk):
                count = Pipeline.objects.filter(server=server, gone_at=None).count()
                self.message_user(request, f"{server} has {count} pipelines.", messages.SUCCESS)
                continue
            server.refresh_from_db()
            why = server.last_error or "It is switched off, or is being read at this moment."
            self.message_user(request, f"{server}: {why}", messages.ERROR)

    def save_model(self, request: HttpRequest, obj: Server, form: Any, change: bool) -> None:
        changed = set(form.changed_data)
        if READ_AGAIN & changed:
            # What the old address or credential answered says nothing of the new one.
            obj.pipelines_due_at = timezone.now()
            obj.not_before, obj.last_error, obj.failures = None, "", 0
            obj.unreachable_since, obj.check_result = None, {}
        super().save_model(request, obj, form, change)
        if "claims" in changed and change:
            linking.decide_server(obj)
        if READ_AGAIN & changed:
            tasks.discover.delay_on_commit(obj.pk)
        warning = form.warning(obj)
        if warning:
            self.message_user(request, f"Saved, but it can't be asked yet. {warning}", "warning")

    def _few(self, request: HttpRequest, servers: QuerySet[Server]) -> list[Server]:
        chosen = list(servers[: MAX_ASKED + 1])
        if len(chosen) > MAX_ASKED:
            sentence = f"Only the first {MAX_ASKED} were asked."
            self.message_user(request, sentence, messages.WARNING)
        return chosen[:MAX_ASKED]


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


@admin.register(Environment)
class EnvironmentAdmin(AuditedModelAdmin):
    list_display = ["name", "slug", "rank"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(EnvironmentRule)
class EnvironmentRuleAdmin(AuditedModelAdmin):
    """In the order in which they are tried; the first that matches decides."""

    list_display = ["order", "server", "pipeline", "branch", "parameter", "environment"]
    list_display_links = ["order"]
    list_filter = ["environment"]
    list_select_related = ["environment"]


@admin.register(Trigger)
class TriggerAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "action", "pipeline", "actor_name", "state", "message"]
    list_filter = ["state", "action", "environment"]
    list_select_related = ["pipeline"]
    search_fields = ["request_id", "actor_name", "pipeline__external_id"]
    show_full_result_count = False


@admin.register(Build)
class BuildAdmin(ReadOnlyAdmin):
    list_display = ["pipeline", "number", "state", "raw_state", "branch", "who", "observed_at"]
    list_filter = ["state"]
    list_select_related = ["pipeline"]
    search_fields = ["external_id", "commit", "pipeline__external_id"]
    show_full_result_count = False
