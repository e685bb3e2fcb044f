"""Registers the portal room and its admin site with Django."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "portal"
    default_auto_field = "django.db.models.BigAutoField"


class PortalAdminConfig(AdminConfig):
    """Django admin behind the portal's own sign-in and look."""

    default_site = "portal.admin_site.PortalAdminSite"
