"""Registers the catalog room with Django."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "catalog"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from catalog import panels
        from catalog.scopes import scope_choices
        from catalog.source_status import health_checks
        from portal import hooks

        hooks.page_panels.register(panels.home_teams)
        hooks.scope_choices.register(scope_choices)
        hooks.health_checks.register(health_checks)
