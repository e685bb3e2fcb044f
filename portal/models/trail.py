"""The record of what was done, and of what came in and still runs."""

from django.db import models
from django.utils import timezone


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
