"""What exists and who owns it, as the catalog sources say it."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Source(models.Model):
    """Where descriptors are read from (Backstage: a Location or an entity provider)."""

    class Kind(models.TextChoices):
        PATH = "path", "file or folder"
        URL = "url", "http(s) URL"

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    target = models.CharField(
        max_length=500,
        help_text="Below CATALOG_PATHS: a file, a folder (every catalog-info.yaml or .yml in it is "
        "read) or a pattern such as org/**/*.yaml. Or the URL of a descriptor.",
    )
    credential_ref = models.CharField(
        max_length=200,
        blank=True,
        help_text='For example "env:NAME" or "file:name"; never the secret.',
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

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="runs")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    cause = models.CharField(max_length=10, choices=Cause.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
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
    message = models.TextField(blank=True, help_text="What happened, in a sentence.")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # Two readings of one source at once would undo each other's marks.
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(state__in=["queued", "running"]),
                name="sync_run_one_open_per_source",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source}, run {self.pk}, {self.state}"


class Entity(models.Model):
    """A thing in the catalog, as its descriptor last validly described it."""

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        MISSING = "missing", "no longer in its source"
        UNSUPPORTED = "unsupported", "kind not supported"

    # Lower-case "kind:namespace/name": refs are compared without regard to case.
    ref = models.CharField(max_length=255, unique=True)
    kind = models.CharField(max_length=63, help_text="As written, e.g. Component.")
    namespace = models.CharField(max_length=63, default="default")
    name = models.CharField(max_length=63)
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    type = models.CharField(max_length=100, blank=True)
    lifecycle = models.CharField(max_length=100, blank=True)
    owner_ref = models.CharField(max_length=255, blank=True, db_index=True)
    system_ref = models.CharField(max_length=255, blank=True, db_index=True)
    # Searched by catalog/search.py: lower-case name, title, description and tags in one column.
    search_text = models.TextField(blank=True, editable=False)
    document = models.JSONField(help_text="The whole document: apiVersion, kind, metadata, spec.")
    digest = models.CharField(max_length=64, editable=False, help_text="Of document and place.")

    source = models.ForeignKey(
        Source, null=True, on_delete=models.SET_NULL, related_name="entities"
    )
    location = models.CharField(max_length=500, help_text="The file or URL it was read from.")
    document_index = models.PositiveIntegerField(default=0)
    line = models.PositiveIntegerField(default=1, help_text="1-based line where it begins.")
    # {annotation key: 1-based line}, so that a problem can point at the line.
    annotation_lines = models.JSONField(default=dict, blank=True)
    state = models.CharField(
        max_length=12, choices=State.choices, default=State.ACTIVE, db_index=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="Last read successfully.")
    gone_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it is not active.")

    class Meta:
        ordering = ["ref"]
        verbose_name_plural = "entities"
        # The list in its order, and each facet's counts, without reading the rows themselves.
        indexes = [
            models.Index(fields=["kind", "name", "ref", "state"], name="entity_list"),
            models.Index(fields=["kind", "owner_ref", "state"], name="entity_owner_facet"),
            models.Index(fields=["kind", "lifecycle", "state"], name="entity_lifecycle_facet"),
            models.Index(fields=["kind", "type", "state"], name="entity_type_facet"),
        ]

    def __str__(self) -> str:
        return self.title or self.name

    @property
    def spec(self) -> dict:
        return self.document.get("spec") or {}

    @property
    def metadata(self) -> dict:
        return self.document.get("metadata") or {}

    @property
    def annotations(self) -> dict[str, str]:
        return self.metadata.get("annotations") or {}


class KindManager(models.Manager["Entity"]):
    """Only the entities of one kind that are not unsupported."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def get_queryset(self) -> models.QuerySet["Entity"]:
        return super().get_queryset().filter(kind=self.kind).exclude(state="unsupported")


class Service(Entity):
    """An entity of kind Component, whatever its spec.type."""

    objects = KindManager("Component")

    class Meta:
        proxy = True


class Team(Entity):
    """An entity of kind Group."""

    objects = KindManager("Group")

    class Meta:
        proxy = True


class Tag(models.Model):
    """One of an entity's metadata.tags, as a row so that both databases can filter and count."""

    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="tags")
    value = models.CharField(max_length=63, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["entity", "value"], name="tag_once")]

    def __str__(self) -> str:
        return self.value


class Relation(models.Model):
    """One direction of an edge; the inverse is a row of its own where its source exists."""

    source = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="relations")
    type = models.CharField(max_length=40)
    target_ref = models.CharField(max_length=255, db_index=True)
    # False: this is the way back of a relation that the other entity declares.
    declared = models.BooleanField(default=True)
    # Null while nothing of that name is known: a dangling relation.
    target = models.ForeignKey(
        Entity, null=True, blank=True, on_delete=models.SET_NULL, related_name="incoming"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "type", "target_ref"], name="relation_once")
        ]

    def __str__(self) -> str:
        return f"{self.source.ref} {self.type} {self.target_ref}"


class Membership(models.Model):
    """A User entity is a direct member of a Group entity."""

    team = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="memberships")
    user_ref = models.CharField(max_length=255, db_index=True)
    origin = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user_ref", "origin"], name="membership_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_ref} in {self.team.ref}"


class TeamClosure(models.Model):
    """Every group above every group, itself at depth 0; cycles end where they began.

    It decides what a grant covers, so only groups of sources trusted for it are above others.
    """

    ancestor = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="descendants")
    descendant = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="ancestors")
    depth = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ancestor", "descendant"], name="team_closure_once")
        ]

    def __str__(self) -> str:
        return f"{self.ancestor.ref} above {self.descendant.ref} by {self.depth}"


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
