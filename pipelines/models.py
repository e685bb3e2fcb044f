"""What runs, and what was asked to run."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from catalog.models import Entity
from pipelines.providers.base import FINAL, MOVING, State

STATES = [state.value for state in State]
MOVING_STATES = [state.value for state in MOVING]
FINAL_STATES = [state.value for state in FINAL]


class Server(models.Model):
    """One configured installation of a provider."""

    slug = models.SlugField(
        unique=True, help_text="Also the instance name in annotations (`slug:folder/job`)."
    )
    name = models.CharField(max_length=100)
    provider = models.CharField(max_length=20, help_text="A key of pipelines.providers.PROVIDERS.")
    base_url = models.URLField("base URL")
    credential_ref = models.CharField(
        max_length=200, help_text='For example "env:BUILDKITE_TOKEN"; never the secret itself.'
    )
    options = models.JSONField(default=dict, blank=True, help_text="What the provider documents.")
    claims = models.JSONField(
        default=list,
        blank=True,
        help_text="Which catalog sources may link which pipelines for triggering: "
        '[{"source": "slug", "namespace": "default", "pipelines": "payments/*"}].',
    )
    enabled = models.BooleanField(default=True)
    # What the newest connection test or refresh learnt.
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_result = models.JSONField(default=dict, blank=True, editable=False)
    unreachable_since = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    not_before = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Reads wait until then (rate limit, outage).",
    )
    failures = models.PositiveIntegerField(default=0, editable=False)
    # Reading the list of its pipelines, single-flight like a pipeline's builds.
    pipelines_read_at = models.DateTimeField(null=True, blank=True, editable=False)
    pipelines_due_at = models.DateTimeField(default=timezone.now, editable=False)
    pipelines_claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    # Asking for the newest builds of all pipelines at once, where the vendor has such a list.
    feed_read_at = models.DateTimeField(null=True, blank=True, editable=False)
    feed_claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    # The connection test runs by itself too: it keeps tokens alive and sees them expire.
    check_due_at = models.DateTimeField(default=timezone.now, editable=False)
    webhook_secret_ref = models.CharField(
        "webhook secret reference",
        max_length=400,
        blank=True,
        help_text='As for the credential, for example "env:BUILDKITE_HOOK"; two, separated by a '
        "comma, while one replaces the other. Empty: deliveries are refused.",
    )
    hook_keys = models.JSONField(
        default=list, blank=True, editable=False, help_text="The vendor's public keys, PEM."
    )
    hook_seen_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The newest delivery that was believed."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Pipeline(models.Model):
    """What a server can run: a Jenkins job, a Buildkite pipeline, a repository."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="pipelines")
    external_id = models.CharField(
        max_length=500, help_text="The provider's own full name, e.g. folder/job or org/pipeline."
    )
    name = models.CharField(max_length=300)
    web_url = models.URLField(max_length=1000, blank=True)
    repository = models.CharField(max_length=500, blank=True)
    default_branch = models.CharField(max_length=255, blank=True)
    # [{"name", "type": string|text|choice|boolean|password, "default", "choices", "description"}]
    parameters = models.JSONField(default=list, blank=True)
    runnable = models.BooleanField(
        default=True, help_text="False for a folder, a multibranch project or a disabled job."
    )
    stable_id = models.CharField(
        max_length=100, blank=True, help_text="The provider's own id that outlives a rename."
    )
    active = models.BooleanField(
        default=True, help_text="False where the server has to be told to build it first."
    )
    details_read_at = models.DateTimeField(null=True, blank=True)
    hook_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="The newest delivery about this pipeline."
    )
    listed_at = models.DateTimeField(null=True, blank=True, help_text="Last seen on the server.")
    gone_at = models.DateTimeField(null=True, blank=True)
    # Reading its builds, single-flight: one claim serves every viewer.
    builds_read_at = models.DateTimeField(null=True, blank=True)
    builds_tried_at = models.DateTimeField(null=True, blank=True)
    builds_error = models.TextField(blank=True)
    refresh_wanted_at = models.DateTimeField(null=True, blank=True, db_index=True)
    refresh_claimed_until = models.DateTimeField(null=True, blank=True)
    # When a viewer makes it worth reading again, and when its own budget allows that (polling.py).
    due_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    asked_at = models.JSONField(
        default=list, blank=True, help_text="When its newest requests were sent, Unix time."
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["server", "external_id"], name="pipeline_once")
        ]
        indexes = [models.Index(fields=["server", "stable_id"], name="pipeline_stable_id")]

    def __str__(self) -> str:
        return self.name


class PipelineLink(models.Model):
    """Ties a pipeline to an entity. A descriptor alone gives reading, never triggering."""

    class Status(models.TextChoices):
        READ = "read", "read only"
        CONFIRMED = "confirmed", "confirmed"
        CONFLICT = "conflict", "claimed by several entities"

    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="links")
    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="pipeline_links")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.READ)
    annotation = models.CharField(max_length=255)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    confirmed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The word given for one source's descriptor does not hold for another's of the same name.
    confirmed_source = models.CharField(max_length=50, blank=True, editable=False)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it has this status.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pipeline", "entity"], name="pipeline_link_once")
        ]

    def __str__(self) -> str:
        return f"{self.entity.ref} to {self.pipeline}"


class LinkProblem(models.Model):
    """An annotation that names no pipeline, shown on its entity until it does."""

    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="link_problems")
    annotation = models.CharField(max_length=255)
    value = models.CharField(max_length=500)
    location = models.CharField(max_length=500)
    line = models.PositiveIntegerField(null=True, blank=True)
    message = models.TextField()
    nearest = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return self.message


class Environment(models.Model):
    """Where a run takes effect; carries the rules."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60)
    rank = models.PositiveSmallIntegerField(default=50, help_text="Higher is stricter.")

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


class Trigger(models.Model):
    """A write that was asked of a vendor; the row is the outbox."""

    class Action(models.TextChoices):
        START = "start", "start"
        RETRY = "retry", "retry"
        CANCEL = "cancel", "cancel"
        UNBLOCK = "unblock", "unblock"
        PROMOTE = "promote", "promote"
        ACTIVATE = "activate", "switch on"

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        DISPATCHING = "dispatching", "being sent"
        DISPATCHED = "dispatched", "sent, build not seen yet"
        LINKED = "linked", "build known"
        DENIED = "denied", "denied when it was sent"
        FAILED = "failed", "failed"
        UNCERTAIN = "uncertain", "outcome unknown"
        WITHDRAWN = "withdrawn", "withdrawn before it was sent"

    request_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    action = models.CharField(max_length=10, choices=Action.choices)
    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="triggers")
    entity = models.ForeignKey(
        Entity, null=True, on_delete=models.SET_NULL, related_name="triggers"
    )
    environment = models.ForeignKey(Environment, null=True, on_delete=models.PROTECT)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="triggers"
    )
    actor_name = models.CharField(max_length=200)
    team = models.CharField(max_length=255, blank=True)
    branch = models.CharField(max_length=255, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    subject = models.CharField(
        max_length=255, blank=True, help_text="The gate that is opened, or the target promoted to."
    )
    subject_name = models.CharField(
        max_length=200, blank=True, help_text="How people know the gate."
    )
    # The build that anything but a start or an activation acts on.
    build = models.ForeignKey(
        "Build", null=True, blank=True, on_delete=models.PROTECT, related_name="writes"
    )
    state = models.CharField(
        max_length=12, choices=State.choices, default=State.QUEUED, db_index=True
    )
    attempt = models.PositiveSmallIntegerField(default=0)
    lookups = models.PositiveSmallIntegerField(
        default=0, help_text="How often the vendor was asked what became of it."
    )
    claimed_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(default=timezone.now)
    receipt = models.JSONField(default=dict, blank=True, help_text="What the vendor answered.")
    message = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state", "not_before"], name="trigger_due")]

    def __str__(self) -> str:
        return f"{self.action} {self.pipeline} ({self.request_id})"

    @property
    def badge(self) -> str:
        """The state of a build whose badge says the same."""
        return _BADGES[self.State(self.state)]


_BADGES = {
    Trigger.State.QUEUED: "queued",
    Trigger.State.DISPATCHING: "queued",
    Trigger.State.DISPATCHED: "queued",
    Trigger.State.LINKED: "running",
    Trigger.State.DENIED: "failed",
    Trigger.State.FAILED: "failed",
    Trigger.State.UNCERTAIN: "unknown",
    Trigger.State.WITHDRAWN: "skipped",
}


class Build(models.Model):
    """One run, as last seen. What the vendor says is a RemoteBuild; this is our row."""

    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="builds")
    external_id = models.CharField(max_length=200)
    number = models.PositiveIntegerField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=[(s, s) for s in STATES], default="unknown")
    raw_state = models.CharField(max_length=60, blank=True, help_text="The vendor's own word.")
    message = models.CharField(max_length=500, blank=True)
    branch = models.CharField(max_length=255, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    who = models.CharField(max_length=200, blank=True, help_text="As the vendor names them.")
    who_id = models.CharField(
        max_length=200, blank=True, help_text="The vendor's id of that account; see VendorAccount."
    )
    cause = models.CharField(max_length=20, blank=True, help_text="push, schedule, api, manual …")
    reason = models.CharField(
        max_length=500, blank=True, help_text="What the state alone does not say."
    )
    web_url = models.URLField(max_length=1000, blank=True)
    # At most one build answers a start or retry.
    trigger = models.OneToOneField(
        Trigger, null=True, blank=True, on_delete=models.SET_NULL, related_name="started_build"
    )
    # Never null, so that both databases sort alike: when the vendor is silent, when first seen.
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    observed_at = models.DateTimeField(help_text="When the vendor was asked.")

    class Meta:
        ordering = ["-queued_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["pipeline", "external_id"], name="build_once"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="build_state_known"),
        ]
        indexes = [
            models.Index(fields=["pipeline", "-queued_at"], name="build_newest"),
            models.Index(fields=["-queued_at", "-id"], name="build_newest_of_all"),
            # Those that move are asked for every few seconds, among all that were ever seen.
            models.Index(fields=["pipeline", "state"], name="build_state"),
            models.Index(fields=["who_id"], name="build_who"),
        ]

    def __str__(self) -> str:
        return f"{self.pipeline} {self.label}"

    @property
    def label(self) -> str:
        """What people call it: the number where it has one."""
        return f"#{self.number or self.external_id}"

    @property
    def is_final(self) -> bool:
        """Nothing more is expected; a vendor may still reopen it."""
        return self.state in FINAL_STATES

    @property
    def seconds(self) -> float | None:
        """How long it took, or has taken so far; None while it has not started."""
        if self.started_at is None or (self.is_final and self.finished_at is None):
            return None
        # Never negative: the server's clock may differ from ours.
        return max(0.0, ((self.finished_at or timezone.now()) - self.started_at).total_seconds())


class VendorAccount(models.Model):
    """Which person an account on a server is. Somebody's word or a linked sign-in, never a name."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="accounts")
    account_id = models.CharField(max_length=200, help_text="The vendor's own id of the account.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="vendor_accounts"
    )
    note = models.CharField(max_length=200, blank=True)
    linked_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["server", "account_id"], name="vendor_account_once")
        ]

    def __str__(self) -> str:
        return f"{self.account_id} on {self.server} is {self.user}"


class Quota(models.Model):
    """What is left of one of a vendor's limits for one credential, as counted and as told."""

    key = models.CharField(max_length=300, help_text="Provider, origin and credential reference.")
    name = models.CharField(max_length=60)
    limit = models.PositiveIntegerField()
    seconds = models.FloatField(help_text="The window that the limit is counted in.")
    window_started_at = models.DateTimeField(default=timezone.now)
    used = models.PositiveIntegerField(default=0, help_text="Our own requests in this window.")
    swept = models.PositiveIntegerField(default=0, help_text="Those of them nobody waited for.")
    # As the vendor's newest answer told, where it tells; others may use the same credential.
    remaining = models.PositiveIntegerField(null=True)
    resets_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "name"], name="quota_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.key}"
