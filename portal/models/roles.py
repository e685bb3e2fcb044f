"""What people may do: roles, and who is given them where."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from portal.policy import PERMISSIONS, SCOPE_KINDS


def validate_permissions(value: list[str]) -> None:
    """Refuses a permission that policy does not know."""
    unknown = sorted(set(value) - set(PERMISSIONS)) if isinstance(value, list) else ["not a list"]
    if unknown:
        raise ValidationError(f"Unknown permissions: {', '.join(map(str, unknown))}.")


class Role(models.Model):
    """A named set of permissions."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60)
    description = models.CharField(max_length=200, blank=True)
    permissions = models.JSONField(default=list, validators=[validate_permissions])
    rank = models.PositiveSmallIntegerField(default=50, help_text="Lower is listed first.")
    delegable = models.BooleanField(
        "team owners may give it",
        default=False,
        help_text="Whoever may give roles for a team gives this one on that team's services.",
    )

    class Meta:
        ordering = ["rank", "slug"]

    def __str__(self) -> str:
        return self.name


class RoleMapping(models.Model):
    """Gives the members of a group a role in a scope, under conditions.

    The group's prefix tells who says who is in it: an identity provider ("idp:payments"), GitHub
    ("github:limelight/payments"), Bitbucket ("bitbucket:limelight/deployers"), SCIM ("scim:…"), a
    claim of the provider ("idp-claim:department=payments"), or the catalog itself
    ("team:group:default/payments").
    """

    group = models.CharField(
        max_length=200,
        db_index=True,
        help_text='With the prefix of who says who is in it, e.g. "idp:payments-deployers".',
    )
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="mappings")
    scope_kind = models.CharField(
        "scope", max_length=20, choices=list(SCOPE_KINDS.items()), default="everything"
    )
    scope_ref = models.CharField(
        "of",
        max_length=255,
        blank=True,
        help_text="What the scope names: an entity ref, a tag, a label (key=value), a server's "
        'slug, or pipelines ("jenkins:payments/*"); empty for everything.',
    )
    environment = models.SlugField(
        blank=True, help_text="An environment's slug; empty for any environment."
    )
    # Conditions, as portal.policy.Conditions reads them.
    branches = models.TextField(
        "only on branches", blank=True, help_text='Globs, e.g. "main, release/*"; empty: any.'
    )
    parameters = models.TextField(
        "only with parameters",
        blank=True,
        help_text='A rule a line, e.g. "TARGET: one of staging, test"; empty: any.',
    )
    hours = models.CharField(
        "only at",
        max_length=200,
        blank=True,
        help_text='E.g. "Mon-Fri 08:00-18:00 Europe/Berlin"; empty: at any time.',
    )
    note = models.CharField(max_length=200, blank=True, help_text="Why this mapping exists.")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who gave it on a team's page; empty: an administrator.",
    )
    team = models.CharField(
        max_length=255,
        blank=True,
        editable=False,
        help_text="For which team: it ends when the service is another team's.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["group", "role__rank"]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "role", "scope_kind", "scope_ref", "environment"],
                name="role_mapping_once",
            ),
            models.CheckConstraint(
                condition=models.Q(scope_kind="everything", scope_ref="")
                | (~models.Q(scope_kind="everything") & ~models.Q(scope_ref="")),
                name="role_mapping_scope_named",
            ),
        ]

    def __str__(self) -> str:
        where = self.scope_ref or "everything"
        return f"{self.group}: {self.role} in {where}, {self.environment or 'any environment'}"


class PolicyChange(models.Model):
    """A change of policy that gives its author something, until a second person has confirmed it.

    `after` holds the form's values and is applied as if the author had saved it then.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waits for a second person"
        APPLIED = "applied", "confirmed and applied"
        REFUSED = "refused", "refused"
        WITHDRAWN = "withdrawn", "withdrawn"

    model = models.CharField(max_length=60, help_text='For example "portal.rolemapping".')
    object_pk = models.CharField(max_length=40, blank=True, help_text="Empty: a new one.")
    label = models.CharField(max_length=300)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True, help_text="Empty: it is to be deleted.")
    effects = models.JSONField(default=list, blank=True, help_text="Who gains and loses what.")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="policy_changes"
    )
    created_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="policy_changes_decided",
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    comment = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="withdrawn")
                | models.Q(decided_by=None)
                | ~models.Q(decided_by=models.F("author")),
                name="policy_change_by_two",
            )
        ]

    def __str__(self) -> str:
        return self.label
