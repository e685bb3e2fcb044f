"""People, what they may do, and the record of what was done."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from portal.policy import PERMISSIONS, SCOPE_KINDS


class Identity(models.Model):
    """One account at one identity provider; a person is found by issuer and subject only."""

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities"
    )
    groups = models.JSONField(default=list, blank=True, help_text="As the provider last sent them.")
    created_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_issuer_subject")
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.issuer}"


class UserLink(models.Model):
    """Which User entity of the catalog a person is; never made from a bare e-mail match."""

    class How(models.TextChoices):
        CLAIM = "claim", "verified claim"
        ADMIN = "admin", "an administrator's word"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="catalog_link"
    )
    user_ref = models.CharField(max_length=255, unique=True)
    how = models.CharField(max_length=10, choices=How.choices)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    def __str__(self) -> str:
        return f"{self.user} is {self.user_ref}"


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

    class Meta:
        ordering = ["rank", "slug"]

    def __str__(self) -> str:
        return self.name


class RoleMapping(models.Model):
    """Gives the members of an identity provider's group a role in a scope."""

    group = models.CharField(
        "IdP group",
        max_length=200,
        db_index=True,
        help_text='With the provider\'s prefix, for example "idp:payments-deployers".',
    )
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="mappings")
    scope_kind = models.CharField(
        "scope", max_length=20, choices=list(SCOPE_KINDS.items()), default="everything"
    )
    scope_ref = models.CharField(
        "of",
        max_length=255,
        blank=True,
        help_text="The entity ref that the scope names; empty for everything.",
    )
    environment = models.SlugField(
        blank=True, help_text="An environment's slug; empty for any environment."
    )
    note = models.CharField(max_length=200, blank=True, help_text="Why this mapping exists.")
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


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    """Refuses what would rewrite history."""

    def update(self, **kwargs: object) -> int:
        raise TypeError("Audit events are never changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("Audit events are never deleted.")


class AuditEvent(models.Model):
    """One thing that was done, tried or refused. Written by portal.audit.record() only."""

    class Outcome(models.TextChoices):
        OK = "ok", "done"
        DENIED = "denied", "denied"
        FAILED = "failed", "failed"

    at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)
    action = models.CharField(max_length=60, db_index=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.OK)
    # A plain number and a name, not a foreign key: the trail outlives the account.
    actor_id = models.BigIntegerField(null=True, db_index=True)
    actor = models.CharField(max_length=200, help_text="The person's name when it happened.")
    on_behalf_of = models.CharField(max_length=200, blank=True)
    target = models.CharField(max_length=400, blank=True, db_index=True)
    rule = models.CharField(max_length=60, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=64, blank=True, db_index=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    data = models.JSONField(default=dict, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.target}"

    def save(self, *args: object, **kwargs: object) -> None:
        if self.pk is not None:
            raise TypeError("Audit events are never changed.")
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def delete(self, *args: object, **kwargs: object) -> tuple[int, dict[str, int]]:
        raise TypeError("Audit events are never deleted.")


class Heartbeat(models.Model):
    """When a background process last showed that it lives."""

    name = models.SlugField(primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}, {self.seen_at:%Y-%m-%d %H:%M:%S}"


class Credential(models.Model):
    """When the value behind a credential reference was first used, and when it ends.

    Holds a keyed digest of the value, never the value: a new digest is a rotation.
    """

    reference = models.CharField(max_length=200, unique=True)
    digest = models.CharField(max_length=64, editable=False)
    first_used_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="As the vendor tells it, else as an administrator enters."
    )
    told_by_vendor = models.BooleanField(default=False, editable=False)

    def __str__(self) -> str:
        return self.reference


class Delivery(models.Model):
    """An incoming webhook, kept once. Its body is dropped as soon as it has been read."""

    class Status(models.TextChoices):
        WAITING = "waiting", "waits to be read"
        DONE = "done", "read"
        IGNORED = "ignored", "of no interest"
        REFUSED = "refused", "refused"

    receiver = models.CharField(max_length=80, help_text='For example "pipelines:buildkite".')
    delivery_id = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    event = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    received_at = models.DateTimeField(default=timezone.now)
    processed_at = models.DateTimeField(null=True)
    size = models.PositiveIntegerField(default=0, help_text="Bytes of the body.")
    headers = models.JSONField(default=dict, blank=True, help_text="Those that are needed later.")
    body = models.BinaryField(default=bytes, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-received_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["receiver", "delivery_id"], name="delivery_once")
        ]
        indexes = [
            models.Index(fields=["status", "received_at"], name="delivery_waiting"),
            models.Index(fields=["receiver", "-received_at"], name="delivery_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.receiver} {self.received_at:%Y-%m-%d %H:%M:%S}"


class ApiToken(models.Model):
    """What lets a script act as a person, within the permissions that the person chose for it.

    Holds a digest of the token, never the token: it is shown once and can't be shown again.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100, help_text="What it is for.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    permissions = models.JSONField(default=list, validators=[validate_permissions])
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API token"
        verbose_name_plural = "API tokens"
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
