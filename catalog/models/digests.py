"""Which digests of problems went to which team, so that none goes out twice."""

from django.db import models


class Digest(models.Model):
    """What one team is sent on one day, a job row: a sweep offers it until it is done.

    The row without a team says that the day's rows have been made.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waits to be sent"
        # Who dies here may have sent it; it stays, for twice is worse than not today.
        SENDING = "sending", "is being sent"
        SENT = "sent", "sent"
        NEEDLESS = "needless", "nothing was wrong any more"
        FAILED = "failed", "could not be sent"

    day = models.DateField()
    team_ref = models.CharField(max_length=255, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it was not sent.")

    class Meta:
        ordering = ["-day", "team_ref"]
        constraints = [models.UniqueConstraint(fields=["day", "team_ref"], name="digest_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.team_ref} {self.state}"
