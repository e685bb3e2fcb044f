"""Django admin of what the directory keeps here; changed by the directory alone."""

from django.contrib import admin

from portal.audited_admin import ReadOnlyAdmin
from portal.models import ScimGroup, ScimUser


@admin.register(ScimUser)
class ScimUserAdmin(ReadOnlyAdmin):
    list_display = ["user_name", "user", "external_id", "active", "changed_at", "deleted_at"]
    list_select_related = ["user"]
    search_fields = ["user_name", "external_id", "user__username"]


@admin.register(ScimGroup)
class ScimGroupAdmin(ReadOnlyAdmin):
    list_display = ["display_name", "group", "external_id", "changed_at"]
    list_select_related = ["group"]
    search_fields = ["display_name", "external_id"]
