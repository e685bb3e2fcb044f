"""Entities and what hangs on them, as their descriptors say it."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from catalog.models.sources import Source, SourceFile


class Entity(models.Model):
    """A thing in the catalog, as its descriptor last validly described it."""

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        MISSING = "missing", "no longer in its source"
        UNSUPPORTED = "unsupported", "kind not supported"

    # Lower-case "kind:namespace/name": refs are compared without regard to case.
    ref = models.CharField(max_length=255, unique=True)
    # Backstage's metadata.uid; lives as long as the row.
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
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
    # What the API filters by: see catalog/terms.py.
    terms = models.JSONField(default=list, editable=False)
    document = models.JSONField(help_text="The whole document: apiVersion, kind, metadata, spec.")
    digest = models.CharField(max_length=64, editable=False, help_text="Of document and place.")

    source = models.ForeignKey(
        Source, null=True, on_delete=models.SET_NULL, related_name="entities"
    )
    location = models.CharField(max_length=500, help_text="The file or URL it was read from.")
    # The same place as a row, which says how fresh it is.
    file = models.ForeignKey(
        SourceFile, null=True, blank=True, on_delete=models.SET_NULL, related_name="entities"
    )
    document_index = models.PositiveIntegerField(default=0)
    line = models.PositiveIntegerField(default=1, help_text="1-based line where it begins.")
    # {annotation key: 1-based line}, so that a problem can point at the line.
    annotation_lines = models.JSONField(default=dict, blank=True)
    state = models.CharField(
        max_length=12, choices=State.choices, default=State.ACTIVE, db_index=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(default=timezone.now)
    # Its document is there but no longer valid: when it last was. Null: as fresh as its file.
    last_good_at = models.DateTimeField(null=True, blank=True)
    # The latest reading found something wrong with it.
    has_issues = models.BooleanField(default=False)
    gone_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it is not active.")

    class Meta:
        ordering = ["ref"]
        verbose_name_plural = "entities"
        # The list in its order, of one kind or of all, and each facet's counts, without reading
        # the rows themselves. What search stands on is made by catalog/search_index.py.
        indexes = [
            # PostgreSQL needs the name itself beside what is made of it.
            models.Index("kind", Lower("name"), "ref", "state", "name", "id", name="entity_list"),
            models.Index(Lower("name"), "ref", "state", "name", "id", name="entity_list_any_kind"),
            models.Index(fields=["kind", "state", "id"], name="entity_ids_of_kind"),
            models.Index(fields=["kind", "owner_ref", "state"], name="entity_owner_facet"),
            models.Index(fields=["kind", "lifecycle", "state"], name="entity_lifecycle_facet"),
            models.Index(fields=["kind", "type", "state"], name="entity_type_facet"),
            models.Index(fields=["kind", "system_ref", "state"], name="entity_system_facet"),
            models.Index(fields=["kind", "namespace", "state"], name="entity_namespace_facet"),
            models.Index(
                fields=["kind", "state"], name="entity_with_issues", condition=Q(has_issues=True)
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.name

    @property
    def seen_at(self) -> datetime:
        """When it was last read successfully; select_related("file") where it is shown."""
        return self.last_good_at or (self.file.seen_at if self.file else self.changed_at)

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


class DocPage(models.Model):
    """A Markdown page of an entity's documentation, as its source holds it."""

    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="docs")
    path = models.CharField(max_length=300, help_text='Below the docs\' root: "index.md".')
    title = models.CharField(max_length=200)
    text = models.TextField(help_text="Markdown, as written.")
    digest = models.CharField(max_length=64)
    location = models.CharField(max_length=500)
    url = models.CharField(max_length=1000, blank=True, help_text="Its page at the host.")
    edit_url = models.CharField(max_length=1000, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    # What the host compares by; equal means unchanged without reading it.
    version = models.CharField(max_length=200, blank=True)
    position = models.PositiveIntegerField(default=0)
    read_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["position", "path"]
        constraints = [models.UniqueConstraint(fields=["entity", "path"], name="doc_page_once")]

    def __str__(self) -> str:
        return self.title


class Star(models.Model):
    """A person's mark on an entity, by ref: it outlives a move, or a removal that was a mistake."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="stars"
    )
    entity_ref = models.CharField(max_length=255, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "entity_ref"], name="star_once")]

    def __str__(self) -> str:
        return f"{self.user} {self.entity_ref}"


class NameDecision(models.Model):
    """A person's word on which source a contested ref is read from."""

    entity_ref = models.CharField(max_length=255, unique=True)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.entity_ref} from {self.source}"


class CatalogState(models.Model):
    """One row. `version` changes with anything that a list, a facet or the API shows."""

    version = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"version {self.version}"
