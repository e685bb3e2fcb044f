"""Where a run takes effect, and what has to be kept to there."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.functional import cached_property

from catalog.models import Entity
from portal.models import Role
from portal.policy import SCOPE_KINDS


class Environment(models.Model):
    """Where a run takes effect; carries the rules."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60)
    rank = models.PositiveSmallIntegerField(default=50, help_text="Higher is stricter.")
    approvals = models.PositiveSmallIntegerField(
        "approvals needed", default=0, help_text="Of people other than the one who asks."
    )
    approver_role = models.ForeignKey(
        Role,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Which role approvers hold here; empty: any that lets approve.",
    )
    approval_minutes = models.PositiveIntegerField(
        "approvals wait for", default=1440, help_text="Minutes until a request expires."
    )
    protected_branches = models.CharField(
        "only from branches",
        max_length=500,
        blank=True,
        help_text='Globs, e.g. "main, release/*": nothing else runs here; empty: any.',
    )
    allow_unpinned = models.BooleanField(
        "allow what can't be pinned to a commit",
        default=False,
        help_text="Where approvals are needed and the CI server can't be told which commit to "
        "build. The approval says so.",
    )
    concurrency = models.PositiveSmallIntegerField(
        "at once for a service",
        null=True,
        blank=True,
        help_text="How many runs of one service may be under way here; empty: any number.",
    )

    class Meta:
        ordering = ["rank"]

    def __str__(self) -> str:
        return self.name


class EnvironmentRule(models.Model):
    """The first rule that matches decides the environment; no match means the strictest one."""

    order = models.PositiveIntegerField(default=100)
    server = models.CharField(max_length=200, default="*", help_text="Glob over server slugs.")
    pipeline = models.CharField(max_length=500, default="*", help_text="Glob over pipeline ids.")
    branch = models.CharField(max_length=255, default="*", help_text="Glob over branch names.")
    parameter = models.CharField(
        max_length=200, blank=True, help_text='"NAME=glob"; empty matches any parameters.'
    )
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="rules")

    class Meta:
        ordering = ["order", "pk"]

    def __str__(self) -> str:
        return f"{self.order}: {self.server} {self.pipeline} {self.branch} is {self.environment}"


class Freeze(models.Model):
    """A time in which nothing is run in an environment; only broken glass gets past it."""

    environment = models.ForeignKey(
        Environment,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="freezes",
        help_text="Empty: all of them.",
    )
    scope_kind = models.CharField(
        "scope", max_length=20, choices=list(SCOPE_KINDS.items()), default="everything"
    )
    scope_ref = models.CharField(
        "of", max_length=255, blank=True, help_text="As in a role mapping; empty for everything."
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=300, help_text="Shown to everybody whom it stops.")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who set it.",
    )
    covered = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="The pipelines of what it covered since it was set: {id: server:name}.",
    )

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="freeze_lasts"),
            models.CheckConstraint(
                condition=Q(scope_kind="everything", scope_ref="")
                | (~Q(scope_kind="everything") & ~Q(scope_ref="")),
                name="freeze_scope_named",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.environment or 'all environments'}: {self.reason}"

    @cached_property
    def covered_names(self) -> frozenset[str]:
        return frozenset(self.covered.values())


class BrokenGlass(models.Model):
    """A person's way past freezes and approvals for one service, for an hour at most.

    Somebody else reviews it within a day; until then, after that day, nobody breaks the glass
    for the service again.
    """

    entity = models.ForeignKey(
        Entity, null=True, on_delete=models.SET_NULL, related_name="broken_glass"
    )
    entity_ref = models.CharField(max_length=255, db_index=True)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="+")
    pipelines = models.ManyToManyField(
        "Pipeline", related_name="broken_glass", help_text="What the service could run then."
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="broken_glass"
    )
    reason = models.TextField()
    incident_url = models.URLField("incident", max_length=500)
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    review_by = models.DateTimeField()
    # When a mail about it is due to those whom it concerns; none is while empty.
    tell_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    remind_at = models.DateTimeField(null=True, blank=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="glass_reviews",
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    justified = models.BooleanField(null=True, blank=True, help_text="The reviewer's word.")
    comment = models.TextField(blank=True)

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(reviewer=None) | ~Q(reviewer=F("by")), name="glass_reviewed_by_another"
            )
        ]

    def __str__(self) -> str:
        return f"{self.entity_ref} in {self.environment} by {self.by}"
