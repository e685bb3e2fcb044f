"""Django admin of people: accounts, the groups that arrived, and who they are in the catalog.

Nobody gets into another account from here: a second person is only one as long as nobody else can
sign in as them. So no account is made, no password set and no second factor removed; whoever has
the server's console does that.
"""

from typing import Any

from allauth.account import admin as account_admin  # noqa: F401  it registers before we take over
from allauth.account.models import EmailAddress
from allauth.mfa import admin as mfa_admin  # noqa: F401
from allauth.mfa.models import Authenticator
from allauth.socialaccount import admin as social_admin  # noqa: F401
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.audited_admin import ReadOnlyAdmin
from portal.dry_run import DryRun, Unseen
from portal.leaving import end_access, in_words, would_end
from portal.models import GroupReading, Identity, UserLink, UserSession
from portal.policy_admin import PolicyAdmin
from portal.user_sessions import how

BY_ADMIN = "An administrator ended it."
MAX_ENDED = 100  # people at once: each is looked at before

# Of the last three nothing is edited: an app's secret belongs into the environment.
# More are on the page of what arrived.
MAX_GROUPS = 100

CONSOLE = (
    "Accounts of people come with their sign-in or from the directory. Local ones are made by "
    "“manage.py createsuperuser”, and “manage.py changepassword NAME” sets a password anew: on the "
    "server, never here, so that no administrator signs in as another."
)
NO_PASSWORDS = f"Nobody sets another person's password here. {CONSOLE}"
OPENS = ("is_staff", "is_superuser")
OPENED = Unseen(
    "Whoever opens this administration confirms, as the second person, what others ask for.", None
)

for model in (User, Group, EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken):
    admin.site.unregister(model)


@admin.register(User)
class AccountAdmin(PolicyAdmin, UserAdmin):
    """Accounts are deactivated, never deleted: the trail and its names stay readable."""

    deletion_is_shown = False  # there is none

    list_display = ["username", "full_name", "email", "kind", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff"]
    fieldsets = [
        (
            None,
            {
                "fields": ["username", "first_name", "last_name", "email"],
                "description": CONSOLE,
            },
        ),
        (
            "Access",
            {
                "fields": ["is_active", "is_staff", "is_superuser"],
                "description": (
                    "For company accounts the provider's administrator groups decide about staff "
                    "and superuser anew at each sign-in (OIDC_ADMIN_GROUPS). Setting one of them "
                    "here waits for a second administrator."
                ),
            },
        ),
        (
            "From the identity provider",
            {"fields": ["identity_list", "group_list", "arrived", "permissions"]},
        ),
        ("Times", {"fields": ["last_login", "date_joined"]}),
    ]
    filter_horizontal = []
    actions = ["end_their_access"]
    readonly_fields = [
        "identity_list",
        "group_list",
        "arrived",
        "permissions",
        "last_login",
        "date_joined",
    ]
    unaudited_fields = ("last_login", "password")  # the latter is kept nowhere else

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).annotate(identity_count=Count("identities"))

    # Who looks after accounts without being a superuser must not be able to become one.
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A superuser's account is changed by superusers only."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (request.user.is_superuser or obj is None or not obj.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = [*super().get_readonly_fields(request, obj)]
        return fields if request.user.is_superuser else [*fields, "is_staff", "is_superuser"]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        raise PermissionDenied(NO_PASSWORDS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def concerns_policy(self, form: Any) -> bool:
        """Who opens the administration by it; also whose account that does is activated again."""
        new = [name for name in (*OPENS, "is_active") if _is_set(form, name)]
        return any(name in OPENS for name in new) or bool(
            new and any(form.initial[name] for name in OPENS)
        )

    def unseen(self, obj: Any, form: Any) -> Unseen | None:
        return OPENED

    def needs_second(self, request: HttpRequest, dry: DryRun) -> bool:
        """Always; where there is nobody else, whoever has the console is the second person."""
        return True

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data and not obj.is_active:
            end_access(obj, why=BY_ADMIN, by=request.user, request=request)

    @admin.action(description="End access of the chosen people", permissions=["change"])
    def end_their_access(self, request: HttpRequest, people: QuerySet[User]) -> HttpResponse | None:
        """Deactivates them, and ends at once all that acts in their names; asks first."""
        if people.count() > MAX_ENDED:
            self.message_user(request, f"Choose {MAX_ENDED} people at most.", messages.WARNING)
            return None
        chosen = [user for user in people if self._may_end(request, user)]
        if chosen and "confirmed" not in request.POST:
            return self._ask(request, chosen)
        for user in chosen:
            ended = end_access(user, why=BY_ADMIN, by=request.user, request=request)
            self.message_user(request, f"The access of {user} has ended: {in_words(ended)}.")
        return None

    def _may_end(self, request: HttpRequest, user: User) -> bool:
        """Whether they may end it; says why not."""
        if user == request.user:
            self.message_user(request, "Nobody ends their own access.", messages.WARNING)
            return False
        if not self.has_change_permission(request, user):
            self.message_user(request, f"You may not change {user}.", messages.WARNING)
            return False
        return True

    def _ask(self, request: HttpRequest, people: list[User]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "End access",
            "opts": self.opts,
            "people": [(user, in_words(would_end(user))) for user in people],
        }
        return TemplateResponse(request, "admin/end_access.html", context)

    @admin.display(description="name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description="account")
    def kind(self, user: Any) -> str:
        return "company" if user.identity_count else "local"

    @admin.display(description="identity")
    def identity_list(self, user: User) -> SafeString | str:
        rows = [(item.issuer, item.subject) for item in user.identities.all()]
        return format_html_join("", "{}, subject {}<br>", rows) or "a local account"

    @admin.display(description="groups")
    def group_list(self, user: User) -> str:
        names = user.groups.order_by("name").values_list("name", flat=True)
        more = names.count() - MAX_GROUPS
        listed = ", ".join(names[:MAX_GROUPS])
        return f"{listed} and {more:,} more" if more > 0 else listed or "none"

    @admin.display(description="what arrived")
    def arrived(self, user: User) -> SafeString | str:
        if not user.pk or not user.identities.exists():
            return "nothing: a local account"
        url = reverse("portal:person_claims", args=[user.pk])
        return format_html('<a href="{}">Every claim of the last sign-in, what it became</a>', url)

    @admin.display(description="may do")
    def permissions(self, user: User) -> SafeString | str:
        url = reverse("portal:policy_person", args=[user.pk]) if user.pk else ""
        return format_html('<a href="{}">Everything, and where</a>', url) if url else ""


def _is_set(form: Any, name: str) -> bool:
    """Whether the flag is new; False also of one that this person can't edit."""
    return bool(form.cleaned_data.get(name) and not form.initial.get(name))


@admin.register(Group)
class ProviderGroupAdmin(ReadOnlyAdmin):
    """Groups come with sign-ins; what they may do is said by role mappings alone."""

    list_display = ["name", "people"]
    search_fields = ["name"]
    fields = ["name", "member_list"]
    readonly_fields = ["member_list"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(member_count=Count("user"))

    @admin.display(description="people", ordering="member_count")
    def people(self, group: Any) -> int:
        return group.member_count

    @admin.display(description="people")
    def member_list(self, group: Group) -> str:
        names = User.objects.filter(groups=group).order_by("username")
        return ", ".join(names.values_list("username", flat=True)[:500]) or "nobody"


@admin.register(Identity)
class IdentityAdmin(ReadOnlyAdmin):
    list_display = ["user", "issuer", "subject", "seen_at", "confirmed_at"]
    list_select_related = ["user"]
    search_fields = ["user__username", "subject"]


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    """Who is signed in, since when and through what. Its key, which signs in, is shown nowhere."""

    list_display = ["user", "through", "created_at"]
    list_select_related = ["user"]
    search_fields = ["user__username"]
    fields = ["user", "through", "created_at"]

    @admin.display(description="signed in through", ordering="issuer")
    def through(self, row: UserSession) -> str:
        return how(row)


@admin.register(GroupReading)
class GroupReadingAdmin(ReadOnlyAdmin):
    """Whether everybody's groups at GitHub and Bitbucket could be read, and which."""

    list_display = ["provider", "read_at", "tried_at", "people", "note", "error"]


@admin.register(UserLink)
class UserLinkAdmin(PolicyAdmin):
    """Who a person is in the catalog, where no claim says so. Roles may follow from their teams."""

    deletion_is_shown = False  # who is nobody there is in no team

    list_display = ["user", "user_ref", "how", "by"]
    list_select_related = ["user", "by"]
    search_fields = ["user__username", "user_ref"]
    autocomplete_fields = ["user"]
    fields = ["user", "user_ref"]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kw: Any
    ) -> Any:
        """Refuses one's own link: it could make somebody a member of any team."""
        base = super().get_form(request, obj, change, **kw)

        class NotOneself(base):  # type: ignore[misc, valid-type]
            def clean_user(self) -> User:
                if self.cleaned_data["user"] == request.user:
                    raise ValidationError("Nobody links themselves: ask another administrator to.")
                return self.cleaned_data["user"]

        return NotOneself

    def save_model(self, request: HttpRequest, obj: UserLink, form: Any, change: bool) -> None:
        obj.how, obj.by = UserLink.How.ADMIN, request.user
        super().save_model(request, obj, form, change)


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Second factors of local accounts, their secrets shown nowhere. Their owners remove them; of
    a lost one, `manage.py remove_second_factor` does."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_select_related = ["user"]
    fields = ["user", "type", "created_at", "last_used_at"]
