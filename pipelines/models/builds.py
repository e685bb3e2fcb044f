"""What ran, as last seen."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from pipelines.models.servers import Pipeline
from pipelines.models.triggers import Trigger
from pipelines.providers.base import FINAL, MOVING, State

STATES = [state.value for state in State]
MOVING_STATES = [state.value for state in MOVING]
FINAL_STATES = [state.value for state in FINAL]


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
