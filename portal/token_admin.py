"""Django admin of API tokens: whose they are, what they may do, and the end of one. Never shown."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from portal.api_tokens import revoke
from portal.audited_admin import ReadOnlyAdmin
from portal.models import ApiToken
from portal.policy import PERMISSIONS


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ["name", "user", "allows", "last_used_at", "expires_at", "revoked_at"]
    list_filter = ["expires_at", "revoked_at"]
    list_select_related = ["user"]
    search_fields = ["name", "user__username"]
    actions = ["revoke_tokens"]
    exclude = ["digest", "permissions"]
    readonly_fields = ["allows"]

    @admin.display(description="allows to")
    def allows(self, token: ApiToken) -> str:
        return ", ".join(PERMISSIONS.get(name, name) for name in token.permissions)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("portal.change_apitoken")

    @admin.action(description="Revoke the chosen tokens", permissions=["revoke"])
    def revoke_tokens(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        ended = [revoke(row, request.user, request) for row in tokens.select_related("user")]
        self.message_user(request, f"Revoked: {sum(ended)}. Whatever used them is now refused.")
