"""Django admin of environments, of the rules that lead to them, and of freezes."""

from collections.abc import Collection
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from pipelines import freezes
from pipelines.freeze_form import EnvironmentForm, FreezeForm
from pipelines.models import Environment, EnvironmentRule, Freeze
from portal.access import display_name
from portal.dry_run import Unseen
from portal.policy_admin import PolicyAdmin

SECOND_PERSON = (
    "ending it would let you yourself run something. Let another administrator end it, or set its "
    "end to a time that has passed on its page, where a second person can confirm that."
)


# Which build runs where is decided from branch and parameters when it is asked for.
LEADS = Unseen(
    "Beyond this, other runs than before may count as runs in another environment, with other "
    "rules: that shows only with the branch and the parameters of each."
)
EASED = Unseen(
    "Beyond this, people run here on other terms: from branches that can't be pinned to a commit, "
    "more at once, or with another environment's rules where it is not certain which one it is."
)


@admin.register(Environment)
class EnvironmentAdmin(PolicyAdmin):
    form = EnvironmentForm
    list_display = ["name", "slug", "rank", "approvals", "branches", "at_once"]
    prepopulated_fields = {"slug": ["name"]}
    fieldsets = [
        (None, {"fields": ["name", "slug", "rank"]}),
        (
            "Approvals",
            {"fields": ["approvals", "approver_role", "approval_minutes", "allow_unpinned"]},
        ),
        ("Runs", {"fields": ["protected_branches", "concurrency"]}),
    ]

    def unseen(self, obj: Any, form: Any) -> Unseen | None:
        if form is None:
            return LEADS
        if obj is None:
            return None  # runs that it is about are to be seen
        before, after = form.initial, form.cleaned_data
        unpinned = after["allow_unpinned"] and not before["allow_unpinned"]
        most = before["concurrency"]
        more = most is not None and (after["concurrency"] or most + 1) > most
        return EASED if unpinned or more or after["rank"] != before["rank"] else None

    @admin.display(description="only from branches")
    def branches(self, environment: Environment) -> str:
        return environment.protected_branches or "any"

    @admin.display(description="at once for a service", ordering="concurrency")
    def at_once(self, environment: Environment) -> str:
        return str(environment.concurrency or "any number")


@admin.register(EnvironmentRule)
class EnvironmentRuleAdmin(PolicyAdmin):
    """In the order in which they are tried; the first that matches decides."""

    list_display = ["order", "server", "pipeline", "branch", "parameter", "environment"]
    list_display_links = ["order"]
    list_filter = ["environment"]
    list_select_related = ["environment"]

    def unseen(self, obj: Any, form: Any) -> Unseen | None:
        return LEADS


@admin.register(Freeze)
class FreezeAdmin(PolicyAdmin):
    """One that is over is only looked at, and one in force is ended, not deleted."""

    form = FreezeForm
    fields = ["environment", "scope_kind", "scope_ref", "starts_at", "ends_at", "reason"]
    list_display = ["frozen", "reason", "since", "until", "state", "set_by"]
    list_filter = ["environment"]
    list_select_related = ["environment", "by"]
    search_fields = ["reason", "scope_ref"]
    actions = ["end_now"]
    unaudited_fields = ("covered",)  # it grows by itself

    def follow(self, obj: Any, changed: Collection[str]) -> None:
        """Notes what it covers; of another scope, anew."""
        if {"scope_kind", "scope_ref"} & set(changed):
            Freeze.objects.filter(pk=obj.pk).update(covered={})
        freezes.cover(freezes=[obj.pk])

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.by = request.user
        super().save_model(request, obj, form, change)
        self.follow(obj, form.changed_data)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        over = obj is not None and obj.ends_at <= timezone.now()
        return not over and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        begun = obj is not None and obj.starts_at <= timezone.now()
        return not begun and super().has_delete_permission(request, obj)

    @admin.action(description="End now", permissions=["change"])
    def end_now(self, request: HttpRequest, chosen: QuerySet[Freeze]) -> None:
        now = timezone.now()
        for freeze in chosen:
            self._end(request, freeze, now)

    def _end(self, request: HttpRequest, freeze: Freeze, now: Any) -> None:
        before = self.snapshot(freeze)
        rows = Freeze.objects.filter(pk=freeze.pk, starts_at__lt=now, ends_at__gt=now)
        if self.would_give(request, lambda: rows.update(ends_at=now)):
            self.message_user(request, f"{freeze}: {SECOND_PERSON}", messages.ERROR)
            return
        if not rows.update(ends_at=now):
            self.message_user(request, f"{freeze}: not in force.", messages.WARNING)
            return
        freeze.refresh_from_db()
        after = self.snapshot(freeze)
        changed = [name for name in after if before[name] != after[name]]
        data = {
            "before": {name: before[name] for name in changed},
            "after": {name: after[name] for name in changed},
        }
        self.record("admin.change", request, freeze, data)
        self.message_user(request, f"{freeze}: ended.", messages.SUCCESS)

    @admin.display(description="what", ordering="environment")
    def frozen(self, freeze: Freeze) -> str:
        return freezes.where(freeze)

    @admin.display(description="from", ordering="starts_at")
    def since(self, freeze: Freeze) -> str:
        return freezes.utc(freeze.starts_at)

    @admin.display(description="until", ordering="ends_at")
    def until(self, freeze: Freeze) -> str:
        return freezes.utc(freeze.ends_at)

    @admin.display(description="state")
    def state(self, freeze: Freeze) -> str:
        now = timezone.now()
        if freezes.is_in_force(freeze, now):
            return "in force"
        return "to come" if freeze.starts_at > now else "over"

    @admin.display(description="set by")
    def set_by(self, freeze: Freeze) -> str:
        return display_name(freeze.by) if freeze.by else ""
