"""Django admin of the portal room: roles, role mappings, the audit trail, received webhooks."""

import json
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from portal import policy_change_admin, token_admin, user_admin  # noqa: F401  they register
from portal.access import TEAM
from portal.audit import ACTIONS
from portal.audited_admin import ReadOnlyAdmin
from portal.models import AuditEvent, Delivery, Role, RoleMapping
from portal.policy import PERMISSIONS, SCOPE_KINDS, Conditions
from portal.policy_admin import PolicyAdmin
from portal.role_form import RoleForm
from portal.role_mapping_form import RoleMappingForm, never_seen
from portal.scim import admin as scim_admin  # noqa: F401


@admin.register(Role)
class RoleAdmin(PolicyAdmin):
    form = RoleForm
    list_display = ["name", "slug", "allows", "description"]
    prepopulated_fields = {"slug": ["name"]}

    @admin.display(description="allows to")
    def allows(self, role: Role) -> str:
        return ", ".join(PERMISSIONS.get(name, name) for name in role.permissions)


@admin.register(RoleMapping)
class RoleMappingAdmin(PolicyAdmin):
    form = RoleMappingForm
    list_display = ["group", "role", "scope", "environment_label", "conditions", "people", "note"]
    list_filter = ["role", "scope_kind", "environment"]
    list_select_related = ["role"]
    search_fields = ["group", "scope_ref", "note"]
    unaudited_fields = ("created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RoleMapping]:
        members = (
            Group.objects.filter(name=OuterRef("group"))
            .annotate(people=Count("user", filter=Q(user__is_active=True)))
            .values("people")
        )
        return super().get_queryset(request).annotate(people=Subquery(members))

    def save_model(self, request: HttpRequest, obj: RoleMapping, form: Any, change: bool) -> None:
        # What a team gave ends with the team's service; what an administrator edits is theirs.
        obj.team, obj.by = "", None
        super().save_model(request, obj, form, change)

    def never_seen(self, form: Any) -> tuple[str, str] | None:
        return never_seen(form.cleaned_data["group"])

    @admin.display(description="scope", ordering="scope_ref")
    def scope(self, mapping: RoleMapping) -> str:
        return mapping.scope_ref or SCOPE_KINDS["everything"]

    @admin.display(description="environment", ordering="environment")
    def environment_label(self, mapping: RoleMapping) -> str:
        return mapping.environment or "any"

    @admin.display(description="conditions")
    def conditions(self, mapping: RoleMapping) -> str:
        words = Conditions(mapping.branches, mapping.parameters, mapping.hours).words()
        return words or "none"

    @admin.display(description="people seen with it", ordering="people")
    def people(self, mapping: Any) -> str:
        if mapping.group.startswith(TEAM):
            return "as the catalog says"
        return str(mapping.people) if mapping.people else "nobody yet"


class ActionFilter(admin.SimpleListFilter):
    """By registered action, without reading the whole trail for its distinct values."""

    title = "action"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(ACTIONS.items(), key=lambda item: item[1])

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent]
    ) -> QuerySet[AuditEvent]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["when", "outcome", "actor", "action_label", "target", "reason"]
    list_filter = ["outcome", "at", ActionFilter]
    search_fields = ["actor", "target", "reason", "request_id", "rule"]
    search_help_text = "Person, target, reason, rule or reference"
    date_hierarchy = "at"
    list_per_page = 50
    show_full_result_count = False  # counting a long trail twice would be the slowest query
    exclude = ["at", "data"]
    readonly_fields = ["when", "action_label", "details"]

    @admin.display(description="when", ordering="at")
    def when(self, event: AuditEvent) -> str:
        return f"{localtime(event.at):%Y-%m-%d %H:%M:%S %Z}"

    @admin.display(description="action", ordering="action")
    def action_label(self, event: AuditEvent) -> str:
        return ACTIONS.get(event.action, event.action)

    @admin.display(description="details")
    def details(self, event: AuditEvent) -> SafeString:
        text = json.dumps(event.data, indent=2, ensure_ascii=False, sort_keys=True)
        return format_html("<pre>{}</pre>", text)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Webhooks of the last days; what they held is shown to nobody."""

    list_display = ["received_at", "receiver", "event", "status", "reason", "size"]
    list_filter = ["status", "received_at"]
    search_fields = ["receiver", "event", "reason", "delivery_id"]
    list_per_page = 50
    show_full_result_count = False
    exclude = ["headers", "body"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).defer("headers", "body")
