"""Registers the portal room and its admin site with Django."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate


class PortalConfig(AppConfig):
    name = "portal"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from allauth.mfa.signals import authenticator_added

        from portal.mfa_required import note_added
        from portal.roles import seed_roles
        from portal.user_sessions import note_sign_in

        user_logged_in.connect(note_sign_in)
        authenticator_added.connect(note_added)
        # After a migration rather than in one: a role that a release adds reaches everybody.
        post_migrate.connect(seed_roles, sender=self)


class PortalAdminConfig(AdminConfig):
    """Django admin behind the portal's own sign-in and look."""

    default_site = "portal.admin_site.PortalAdminSite"
