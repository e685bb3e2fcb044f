"""What a SCIM client (Okta, Entra) keeps here: people and groups under its own names for them."""

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils import timezone


class ScimUser(models.Model):
    """A person as the SCIM client sees them.

    Kept when the client deletes it, so that the same person comes back as the same user.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="scim"
    )
    # Whoever signed in under its user name and is another subject of the provider.
    beside = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        related_name="scim_beside",
        blank=True,
        help_text="Accounts that end with it, unless they are SCIM users themselves.",
    )
    ended = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        related_name="scim_ended",
        blank=True,
        help_text="Accounts that its word deactivated; no others come back by its word.",
    )
    user_name = models.CharField(max_length=255)
    # In lower case, since "userName" is compared without case; none once it is deleted.
    user_key = models.CharField(max_length=255, null=True, unique=True, editable=False)
    external_id = models.CharField(max_length=255, blank=True, db_index=True)
    display_name = models.CharField(max_length=255, blank=True)
    attributes = models.JSONField(default=dict, blank=True, help_text="Its name and addresses.")
    active = models.BooleanField(default=True, help_text="The client's last word.")
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "SCIM user"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.user_name


class ScimGroup(models.Model):
    """A group as the SCIM client sees it; its members are those of the Django group."""

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="scim")
    display_name = models.CharField(max_length=145, unique=True)
    external_id = models.CharField(max_length=255, blank=True, db_index=True)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "SCIM group"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.display_name
