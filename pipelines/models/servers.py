"""Where builds run: CI servers, their pipelines, and what these are to the catalog."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from catalog.models import Entity


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
