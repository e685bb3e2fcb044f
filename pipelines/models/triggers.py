"""What was asked to run: the outbox, and who approved it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from catalog.models import Entity
from pipelines.models.environments import BrokenGlass, Environment
from pipelines.models.servers import Pipeline


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
        AWAITING = "awaiting", "awaiting approval"
        QUEUED = "queued", "queued"
        DISPATCHING = "dispatching", "being sent"
        DISPATCHED = "dispatched", "sent, build not seen yet"
        LINKED = "linked", "build known"
        DENIED = "denied", "denied when it was sent"
        FAILED = "failed", "failed"
        UNCERTAIN = "uncertain", "outcome unknown"
        WITHDRAWN = "withdrawn", "withdrawn before it was sent"
        REFUSED = "refused", "refused by an approver"
        EXPIRED = "expired", "expired before it was approved"

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
    agent = models.CharField(
        max_length=60, blank=True, help_text="The program that asked in the person's name."
    )
    # By which it was asked for. Its id stays when its row goes: whoever decides again finds nothing
    # and refuses, and does not take the request for one that the person made without a token.
    token = models.ForeignKey(
        "portal.ApiToken",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="triggers",
    )
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
    # What approvals are bound to: a digest of all that would be sent (approvals.py).
    fingerprint = models.CharField(max_length=64, blank=True)
    approvals_needed = models.PositiveSmallIntegerField(default=0)
    approve_by = models.DateTimeField(
        null=True, blank=True, db_index=True, help_text="When it expires without them."
    )
    reminded_at = models.DateTimeField(null=True, blank=True)
    told = models.CharField(
        max_length=12, blank=True, editable=False, help_text="Of which of its states people know."
    )
    unpinned = models.BooleanField(
        default=False, help_text="The CI server can't be told which commit to build."
    )
    on_branch = models.BooleanField(
        default=False, help_text="The commit is certain to be on the branch: nobody typed it."
    )
    note = models.CharField(max_length=500, blank=True, help_text="The person's own words: why.")
    glass = models.ForeignKey(
        BrokenGlass, null=True, blank=True, on_delete=models.PROTECT, related_name="triggers"
    )
    standing = models.ForeignKey(
        "StandingTrigger",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="triggers",
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
    turn_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Until when it has waited for its turn."
    )
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
    def asked_by(self) -> str:
        """Who asked, as people read it: the program too, where one did in the person's name."""
        return f"{self.agent} (agent) for {self.actor_name}" if self.agent else self.actor_name

    @property
    def badge(self) -> str:
        """The state of a build whose badge says the same."""
        return _BADGES[self.State(self.state)]

    @property
    def ended_as(self) -> str:
        """The word on that badge where no build has such a state; "" for the badge's own."""
        return self.state if self.state in _NEVER_RAN else ""


# Nothing of these was sent.
_NEVER_RAN = {
    Trigger.State.DENIED,
    Trigger.State.WITHDRAWN,
    Trigger.State.REFUSED,
    Trigger.State.EXPIRED,
}
_BADGES = {
    Trigger.State.AWAITING: "waiting",
    Trigger.State.QUEUED: "queued",
    Trigger.State.DISPATCHING: "queued",
    Trigger.State.DISPATCHED: "queued",
    Trigger.State.LINKED: "running",
    Trigger.State.DENIED: "failed",
    Trigger.State.FAILED: "failed",
    Trigger.State.UNCERTAIN: "unknown",
    Trigger.State.WITHDRAWN: "skipped",
    Trigger.State.REFUSED: "failed",
    Trigger.State.EXPIRED: "skipped",
}


class Approval(models.Model):
    """One person's word on one request, bound to what the request was when they gave it."""

    class Verdict(models.TextChoices):
        APPROVE = "approve", "approved"
        REFUSE = "refuse", "refused"

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="approvals")
    fingerprint = models.CharField(max_length=64)
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="approvals"
    )
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    comment = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["trigger", "approver"], name="approval_once"),
            models.CheckConstraint(
                condition=~Q(approver=F("requester")), name="approval_by_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.approver} {self.get_verdict_display()} {self.trigger_id}"


class StandingTrigger(models.Model):
    """A start that is asked for again and again in a person's name, as long as they may."""

    class When(models.TextChoices):
        SCHEDULE = "schedule", "on a schedule"
        AFTER = "after", "after an environment has passed"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="standing_triggers"
    )
    entity = models.ForeignKey(
        Entity, null=True, on_delete=models.SET_NULL, related_name="standing_triggers"
    )
    pipeline = models.ForeignKey(
        Pipeline, on_delete=models.CASCADE, related_name="standing_triggers"
    )
    branch = models.CharField(max_length=255, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    when = models.CharField(max_length=10, choices=When.choices)
    cron = models.CharField(max_length=100, blank=True, help_text='E.g. "30 6 * * mon-fri", UTC.')
    after = models.ForeignKey(
        Environment, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    next_at = models.DateTimeField(null=True, blank=True, db_index=True)
    firing = models.CharField(
        max_length=60, blank=True, editable=False, help_text="What is tried again, until it works."
    )
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    problem = models.CharField(
        max_length=500, blank=True, editable=False, help_text="Why nothing came of the last time."
    )
    answered = models.ForeignKey(
        "Build",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The newest build that it was fired for, whatever came of that.",
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.pipeline} {self.get_when_display()} by {self.owner}"


class Incident(models.Model):
    """Something that must not happen did: for example a build of another commit than approved."""

    trigger = models.ForeignKey(
        Trigger, null=True, on_delete=models.SET_NULL, related_name="incidents"
    )
    kind = models.CharField(max_length=40)
    what = models.CharField(max_length=500)
    created_at = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the owners were told."
    )
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    comment = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["trigger", "kind"], name="incident_once"),
        ]

    def __str__(self) -> str:
        return self.what
