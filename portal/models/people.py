"""Who people are: their accounts at identity providers, sessions, and tokens for scripts."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from portal.models.roles import validate_permissions


class Identity(models.Model):
    """One account at one identity provider; a person is found by issuer and subject only."""

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities"
    )
    groups = models.JSONField(default=list, blank=True, help_text="As the provider last sent them.")
    claims = models.JSONField(
        default=dict, blank=True, help_text="All that it last said of the person."
    )
    rules = models.JSONField(
        default=dict, blank=True, editable=False, help_text="The settings that it was read by."
    )
    incomplete = models.CharField(
        max_length=300,
        blank=True,
        help_text="Why not all groups are known, as a sentence; until they are, the person reads.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(default=timezone.now)
    # Not the same as seen_at: the hourly reading confirms groups of people who are not there.
    confirmed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When who says the groups last said them; empty: it gives none that age.",
    )

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


class UserSession(models.Model):
    """Whose a session is, so that all of a person's can be ended at once.

    `sid` is the provider's own name of it (OpenID Connect Back-Channel Logout 1.0).
    """

    session_key = models.CharField(max_length=40, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="stagedoor_sessions"
    )
    issuer = models.CharField(max_length=255, blank=True, help_text="Empty: a local account.")
    subject = models.CharField(max_length=255, blank=True)
    sid = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["issuer", "sid"], name="user_session_sid")]

    def __str__(self) -> str:
        return f"a session of {self.user}"


class GroupReading(models.Model):
    """The newest reading of everybody's groups at GitHub or Bitbucket, between their sign-ins."""

    provider = models.SlugField(unique=True)
    tried_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, help_text="The newest one that succeeded.")
    people = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=300, blank=True, help_text="What was read.")
    error = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.provider}: {self.error or self.note}"


class ApiToken(models.Model):
    """What lets a script act as a person, within the permissions that the person chose for it.

    Holds a digest of the token, never the token: it is shown once and can't be shown again.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100, help_text="What it is for.")
    agent = models.CharField(
        max_length=60,
        blank=True,
        help_text="The program that acts by it in the person's name; empty: the person's script.",
    )
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
