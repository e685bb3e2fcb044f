"""Registers the catalog room with Django."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "catalog"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from catalog import panels
        from portal import hooks

        hooks.page_panels.register(panels.home_teams)
