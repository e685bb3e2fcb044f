"""Where descriptors are read from, and what each reading found."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Source(models.Model):
    """Where descriptors are read from (Backstage: a Location or an entity provider)."""

    class Kind(models.TextChoices):
        PATH = "path", "file or folder"
        URL = "url", "http(s) URL"
        GIT = "git", "git repository"
        BITBUCKET = "bitbucket", "Bitbucket Cloud workspace"
        BITBUCKET_DC = "bitbucket_dc", "Bitbucket Data Center"
        GITHUB = "github", "GitHub organisation"
        BACKSTAGE = "backstage", "running Backstage"

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    target = models.CharField(
        max_length=500,
        help_text="Below CATALOG_PATHS: a file, a folder (every catalog-info.yaml or .yml in it is "
        "read) or a pattern such as org/**/*.yaml. Or the URL of a descriptor, of a git "
        "repository, of a workspace, organisation or Data Center, or of a Backstage.",
    )
    credential_ref = models.CharField(
        max_length=200,
        blank=True,
        help_text='For example "env:NAME" or "file:name"; never the secret.',
    )
    # What the kind of source understands: see catalog/sources/options.py.
    options = models.JSONField(default=dict, blank=True)
    allowed_kinds = models.JSONField(
        default=list, blank=True, help_text="Kinds that may come from here; none named: all."
    )
    webhook_secret_ref = models.CharField(
        max_length=200,
        blank=True,
        help_text="What signs the webhooks that hasten a reading; empty: none are taken.",
    )
    max_missing_percent = models.PositiveSmallIntegerField(
        default=30,
        validators=[MaxValueValidator(100)],
        help_text="When more of its entities than this are gone at once, a person decides first.",
    )
    trusted_for_org = models.BooleanField(
        default=False, help_text="Its groups and members count for who may do what."
    )
    enabled = models.BooleanField(default=True)
    interval_seconds = models.PositiveIntegerField(
        default=300,
        validators=[MinValueValidator(10)],
        help_text="Seconds from the end of one reading to the next.",
    )
    next_due_at = models.DateTimeField(default=timezone.now, db_index=True)
    last_attempt_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_success_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    # A removal that waits for a person: {"digest", "count", "of", "since"}, else empty.
    held = models.JSONField(default=dict, blank=True, editable=False)
    # The digest of the held removal that a person released.
    released = models.CharField(max_length=64, blank=True, editable=False)
    # As the host last said: {"limit", "remaining", "reset_at", "seen_at"}.
    quota = models.JSONField(default=dict, blank=True, editable=False)
    # Who registered it on a page or through the API; null: an administrator, in admin.
    registered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SyncRun(models.Model):
    """One reading of a source: a job row that a sweep offers again when a worker died."""

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"

    class Cause(models.TextChoices):
        SCHEDULE = "schedule", "schedule"
        PERSON = "person", "a person"
        COMMAND = "command", "command line"
        WEBHOOK = "webhook", "webhook"

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="runs")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    cause = models.CharField(max_length=10, choices=Cause.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Changes nothing: `plan` says what a reading would do.
    dry_run = models.BooleanField(default=False)
    # Reads only the repositories that are flagged as changed.
    partial = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    # Queued: not offered to a worker again before. Running: the worker is taken for dead after.
    claimed_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often it was begun.")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    files = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    problems = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0, help_text="How often the host was asked.")
    # Of a dry run: {"added": [ref], "changed": [...], "removed": [[ref, why]], "conflicts": [...]}.
    plan = models.JSONField(null=True, blank=True)
    message = models.TextField(blank=True, help_text="What happened, in a sentence.")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # Two readings of one source at once would undo each other's marks.
            models.UniqueConstraint(
                fields=["source", "dry_run"],
                condition=Q(state__in=["queued", "running"]),
                name="sync_run_one_open_per_source",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source}, run {self.pk}, {self.state}"


class SyncIssue(models.Model):
    """A problem that a source's latest reading found; replaced by the next reading."""

    class Severity(models.TextChoices):
        ERROR = "error", "error"
        WARNING = "warning", "warning"

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="issues")
    run = models.ForeignKey(SyncRun, null=True, on_delete=models.SET_NULL, related_name="issues")
    # Set where the problem belongs to a known entity, so that its page shows it.
    entity_ref = models.CharField(max_length=255, blank=True, db_index=True)
    severity = models.CharField(max_length=10, choices=Severity.choices, default=Severity.ERROR)
    stage = models.CharField(max_length=20)
    location = models.CharField(max_length=500)
    document_index = models.PositiveIntegerField(null=True, blank=True)
    line = models.PositiveIntegerField(null=True, blank=True)
    column = models.PositiveIntegerField(null=True, blank=True)
    message = models.TextField()

    class Meta:
        ordering = ["location", "line", "pk"]

    def __str__(self) -> str:
        return f"{self.location}:{self.line or 1} {self.message}"


class Repository(models.Model):
    """A repository that a workspace or organisation source found, with a descriptor or without."""

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        GONE = "gone", "no longer listed"

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="repositories")
    external_id = models.CharField(max_length=200, help_text="Stays when it is renamed.")
    full_name = models.CharField(max_length=255, help_text='For example "acme/payments-api".')
    url = models.CharField(max_length=500, help_text="Its page at the host.")
    description = models.TextField(blank=True)
    project = models.CharField(max_length=200, blank=True)
    default_branch = models.CharField(max_length=255, blank=True)
    head_commit = models.CharField(max_length=64, blank=True)
    archived = models.BooleanField(default=False)
    # Null: nobody has looked yet.
    has_descriptor = models.BooleanField(null=True)
    # Its path at head_commit; "" there is none, null as above.
    descriptor = models.CharField(max_length=500, null=True, blank=True, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    # A webhook says that it changed; null once it has been read since.
    flagged_at = models.DateTimeField(null=True, blank=True, db_index=True)
    read_at = models.DateTimeField(null=True, blank=True, help_text="Last listed by its host.")
    # The host's own word for "changed since", for example updated_on.
    marker = models.CharField(max_length=100, blank=True)
    pull_requests_read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["full_name"]
        verbose_name_plural = "repositories"
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="repository_once")
        ]

    def __str__(self) -> str:
        return self.full_name


class PullRequest(models.Model):
    """An open pull request of a repository; closed ones are forgotten."""

    repository = models.ForeignKey(
        Repository, on_delete=models.CASCADE, related_name="pull_requests"
    )
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=300)
    author = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=500)
    source_branch = models.CharField(max_length=255, blank=True)
    target_branch = models.CharField(max_length=255, blank=True)
    draft = models.BooleanField(default=False)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-updated_at", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["repository", "number"], name="pull_request_once")
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.title}"


class SourceFile(models.Model):
    """A file that a source holds, as last read: how old, and from which commit."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="files")
    location = models.CharField(max_length=500)
    repository = models.ForeignKey(
        Repository, null=True, blank=True, on_delete=models.SET_NULL, related_name="files"
    )
    url = models.CharField(max_length=1000, blank=True, help_text="Its page at the host.")
    edit_url = models.CharField(max_length=1000, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    # What the host compares by (a commit, an ETag); equal means unchanged without reading it.
    version = models.CharField(max_length=200, blank=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 of its bytes.")
    refs = models.JSONField(default=list, help_text="The entities that it describes.")
    # The ref of the Location that names it first; empty where the source's reading begins.
    named_by = models.CharField(max_length=255, blank=True)
    # Everything in it is applied, and follows from its bytes alone: need not be looked at again.
    settled = models.BooleanField(default=False)
    # What its entities are made of beside its bytes: see catalog.files.basis_of().
    basis = models.CharField(max_length=16, blank=True)
    seen_at = models.DateTimeField(default=timezone.now, help_text="Last read successfully.")
    # Readings in a row that found it absent (404), and when the first of them was.
    misses = models.PositiveSmallIntegerField(default=0)
    missed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["location"]
        constraints = [
            models.UniqueConstraint(fields=["source", "location"], name="source_file_once")
        ]

    def __str__(self) -> str:
        return self.location
