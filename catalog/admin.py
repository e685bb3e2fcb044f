"""Django admin of the catalog: sources are configured here, entities only looked at."""

import json
from collections.abc import Collection
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog import connections, tasks, teams, version, webhooks
from catalog.lock import catalog_lock
from catalog.models import Entity, Source
from catalog.source_form import PREFIX, SourceForm, option_fields
from catalog.sync_requests import ask
from portal.audited_admin import ReadOnlyAdmin
from portal.dry_run import Unseen
from portal.policy_admin import PolicyAdmin

# What another reading follows from.
READ_AGAIN = {"kind", "target", "credential_ref", "options", "allowed_kinds", "enabled"}
TRUSTED = Unseen(
    "Beyond this, what the source says from its next reading on decides who is in which team, and "
    "which team is above which: roles that are given to teams follow.",
    to=None,
)


@admin.register(Source)
class SourceAdmin(PolicyAdmin):
    form = SourceForm
    list_display = ["name", "target", "enabled", "trusted_for_org", "read"]
    list_filter = ["kind", "enabled", "trusted_for_org"]
    search_fields = ["name", "slug", "target"]
    prepopulated_fields = {"slug": ["name"]}
    readonly_fields = ["webhook_address"]
    unaudited_fields = (
        "next_due_at",
        "last_attempt_at",
        "last_success_at",
        "last_error",
        "held",
        "quota",
    )
    actions = ["sync_now"]

    deletion_is_shown = False  # what nobody says any more puts nobody into a team

    def concerns_policy(self, form: Any) -> bool:
        """Whom it is trusted to name, or what it is that is trusted."""
        changed = _changed(form)
        what = READ_AGAIN | {"slug"}
        return "trusted_for_org" in changed or bool(
            form.cleaned_data["trusted_for_org"] and changed & what
        )

    def follow(self, obj: Any, changed: Collection[str]) -> None:
        if "trusted_for_org" in changed:
            _rebuild_teams()

    def unseen(self, obj: Any, form: Any) -> Unseen | None:
        return TRUSTED if form.cleaned_data["trusted_for_org"] else None

    def get_fieldsets(self, request: HttpRequest, obj: Source | None = None) -> Any:
        """Options of every kind while it is still to be chosen; then those of its kind."""
        options = option_fields(obj)
        sets = [
            ("Source", {"fields": ["name", "slug", "kind", "target", "credential_ref", "enabled"]}),
            ("Options of the kind", {"fields": options}),
            (
                "What it may bring",
                {"fields": ["allowed_kinds", "max_missing_percent", "trusted_for_org"]},
            ),
            (
                "When it is read",
                {"fields": ["interval_seconds", "webhook_secret_ref", "webhook_address"]},
            ),
        ]
        return [part for part in sets if part[1]["fields"]]

    @admin.display(description="webhook address")
    def webhook_address(self, source: Source) -> str:
        if not source.pk:
            return "Save the source first; then it stands here."
        return webhooks.address(source)

    @admin.display(description="last reading")
    def read(self, source: Source) -> SafeString | str:
        if source.last_attempt_at is None:
            return "not read yet"
        words = "failed" if source.last_error else "succeeded"
        url = reverse("catalog:source_detail", args=[source.slug])
        return format_html('<a href="{}">{}</a>', url, words)

    @admin.action(description="Sync now", permissions=["view"])
    def sync_now(self, request: HttpRequest, sources: QuerySet[Source]) -> HttpResponse | None:
        """Asks policy like the source's own page; being an administrator opens nothing."""
        asked = []
        for source in sources:
            run, decision = ask(request.user, source, request)
            if run is None:
                self.message_user(request, f"{source}: {decision.reason}", messages.ERROR)
                continue
            tasks.sync_source.delay_on_commit(run.pk)
            asked.append(source)
        if len(asked) == 1:
            return redirect("catalog:source_detail", asked[0].slug)
        if asked:
            self.message_user(request, f"{len(asked)} sources are being read.", messages.SUCCESS)
            return redirect("catalog:source_list")
        return None

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        changed = _changed(form)
        if READ_AGAIN & changed:
            obj.next_due_at = timezone.now()
        super().save_model(request, obj, form, change)
        if obj.enabled and READ_AGAIN & changed:
            # Not before: the host may be slow, and nobody else saves policy meanwhile.
            transaction.on_commit(lambda: self._try_out(request, obj))
        self.follow(obj, changed)

    def _try_out(self, request: HttpRequest, source: Source) -> None:
        """Says what the host says; the source is saved whatever that is."""
        for level, sentence in connections.try_out(source):
            self.message_user(request, sentence, level, fail_silently=True)

    def delete_model(self, request: HttpRequest, obj: Source) -> None:
        super().delete_model(request, obj)
        _rebuild_teams()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        super().delete_queryset(request, queryset)
        _rebuild_teams()


@admin.register(Entity)
class EntityAdmin(ReadOnlyAdmin):
    list_display = ["ref", "title", "type", "state", "source", "location", "changed_at"]
    list_filter = ["kind", "state", "source"]
    list_select_related = ["source"]
    search_fields = ["ref", "title"]
    list_per_page = 50
    show_full_result_count = False
    exclude = ["document", "search_text", "terms", "digest", "annotation_lines"]
    readonly_fields = ["descriptor"]

    @admin.display(description="descriptor")
    def descriptor(self, entity: Entity) -> SafeString:
        text = json.dumps(entity.document, indent=2, ensure_ascii=False)
        return format_html("<pre>{}</pre>", text)


def _changed(form: Any) -> set[str]:
    return {"options" if name.startswith(PREFIX) else name for name in form.changed_data}


def _rebuild_teams() -> None:
    """Trust takes effect at once, not with the next reading."""
    with catalog_lock():
        teams.rebuild()
        version.bump()
