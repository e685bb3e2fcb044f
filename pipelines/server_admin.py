"""Django admin of servers: configured, tested and read here."""

from collections.abc import Collection
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from pipelines import checks, discovery, linking, server_status, tasks, webhooks
from pipelines.budget import Purpose
from pipelines.models import Pipeline, Server
from pipelines.server_form import ServerForm
from portal import audit, credential_ages, inbox
from portal.dry_run import Unseen
from portal.policy_admin import PolicyAdmin

LEVELS = {"success": messages.SUCCESS, "warning": messages.WARNING, "error": messages.ERROR}
# Each is asked while the page waits.
MAX_ASKED = 5
# What another list of pipelines follows from.
READ_AGAIN = {"provider", "base_url", "credential_ref", "options", "enabled"}

CLAIMED = Unseen(
    "Beyond this, what the claims name and the catalog or the server adds later is linked, too, "
    "and may then be run by whoever may run that service."
)

audit.register("server.check", "tested the connection to a CI server")


def _lines(sentences: list[str]) -> str:
    return format_html_join("", "<div>{}</div>", ((said,) for said in sentences)) or "-"


@admin.register(Server)
class ServerAdmin(PolicyAdmin):
    form = ServerForm
    list_display = ["name", "vendor", "enabled", "standing", "pipelines_read_at"]
    list_filter = ["provider", "enabled"]
    search_fields = ["name", "slug", "base_url"]
    prepopulated_fields = {"slug": ["name"]}
    readonly_fields = ["connection", "checked_at", "circuit", "limits", "credential"]
    readonly_fields += ["pipelines_read_at", "deliveries"]
    fieldsets = [
        ("Server", {"fields": ["name", "slug", "provider", "base_url", "enabled"]}),
        (
            "Credential",
            {"fields": ["credential_ref", "credential_expires", "credential"]},
        ),
        ("What it lists and links", {"fields": ["options", "claims"]}),
        ("Webhooks", {"fields": ["webhook_secret_ref", "deliveries"]}),
    ]
    standing_fields = ["connection", "checked_at", "circuit", "limits", "pipelines_read_at"]
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
        "hook_keys",
        "hook_seen_at",
        "feed_read_at",
        "feed_claimed_until",
        "check_due_at",
    )

    deletion_is_shown = False  # of what is gone nobody may do anything

    def concerns_policy(self, form: Any) -> bool:
        if not form.instance.pk:
            return bool(form.cleaned_data["claims"])
        # Not changed_data: to Django an empty list has always changed.
        return form.cleaned_data["claims"] != form.initial["claims"]

    def follow(self, obj: Any, changed: Collection[str]) -> None:
        if "claims" in changed:
            linking.decide_server(obj)

    def unseen(self, obj: Any, form: Any) -> Unseen | None:
        before = form.initial.get("claims") or [] if obj else []
        more = any(claim not in before for claim in form.cleaned_data["claims"])
        return CLAIMED if more else None

    # Roles, freezes and rules are about the server of that slug: another one would be theirs.
    def get_readonly_fields(self, request: HttpRequest, obj: Server | None = None) -> list[str]:
        return [*self.readonly_fields, "slug"] if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Server | None = None) -> Any:
        return {} if obj else self.prepopulated_fields

    def get_fieldsets(self, request: HttpRequest, obj: Server | None = None) -> Any:
        """What there is to see of a server comes before what there is to set."""
        given = super().get_fieldsets(request, obj)
        if obj is None:
            return given
        return [("How it stands", {"fields": self.standing_fields}), *given]

    @admin.display(description="provider", ordering="provider")
    def vendor(self, server: Server) -> str:
        return webhooks.vendor(server)

    @admin.display(description="connection")
    def standing(self, server: Server) -> str:
        """In a few words; all of it stands on the server's page."""
        return server_status.connection(server, timezone.now())

    @admin.display(description="connection")
    def connection(self, server: Server) -> str:
        """The newest word: an error since then outweighs an older good test."""
        if server.last_error:
            return server.last_error
        if not server.check_result:
            return "Not tested yet."
        return _lines([said for _, said in checks.sentences(server.name, server.check_result)])

    @admin.display(description="circuit")
    def circuit(self, server: Server) -> str:
        return server_status.circuit(server, timezone.now()) if server.pk else "-"

    @admin.display(description="limits")
    def limits(self, server: Server) -> str:
        return _lines(server_status.limits(server, timezone.now()))

    @admin.display(description="age and end")
    def credential(self, server: Server) -> str:
        return _lines(server_status.credential(server, timezone.now()) if server.pk else [])

    @admin.display(description="deliveries")
    def deliveries(self, server: Server) -> SafeString:
        context: dict[str, Any] = {"server": server}
        if server.pk:
            context["address"] = webhooks.address(server)
            context["sends"] = webhooks.sends(server)
            context["label"] = webhooks.vendor(server)
            context["able"] = bool(server.webhook_secret_ref or server.hook_keys)
            context["deliveries"] = inbox.newest(webhooks.receiver(server))
        return render_to_string("pipelines/_deliveries.html", context)

    @admin.action(description="Test connection", permissions=["change"])
    def test_connection(self, request: HttpRequest, servers: QuerySet[Server]) -> None:
        for server in self._few(request, servers):
            answer = checks.ask_who(server)
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
            if discovery.discover(server.pk, Purpose.ACT):
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
            obj.pipelines_due_at = obj.check_due_at = timezone.now()
            obj.not_before, obj.last_error, obj.failures = None, "", 0
            obj.unreachable_since, obj.check_result, obj.hook_keys = None, {}, []
        super().save_model(request, obj, form, change)
        self.follow(obj, changed)
        if READ_AGAIN & changed:
            tasks.discover.delay_on_commit(obj.pk)
        self._keep_expiry(request, obj, form)
        warning = form.warning(obj)
        if warning:
            text = f"Saved, but it can't be asked yet. {warning}"
            self.message_user(request, text, "warning", fail_silently=True)

    def _keep_expiry(self, request: HttpRequest, server: Server, form: Any) -> None:
        credential_ages.note_use(server.credential_ref)
        if "credential_expires" in form.changed_data:
            end = form.cleaned_data["credential_expires"]
            credential_ages.enter_expiry(server.credential_ref, end)
            self.record("admin.change", request, server, {"credential_expires": str(end or "")})

    def _few(self, request: HttpRequest, servers: QuerySet[Server]) -> list[Server]:
        chosen = list(servers[: MAX_ASKED + 1])
        if len(chosen) > MAX_ASKED:
            sentence = f"Only the first {MAX_ASKED} were asked."
            self.message_user(request, sentence, messages.WARNING)
        return chosen[:MAX_ASKED]
