"""Registers the pipelines room with Django and with the hooks of the rooms below."""

from django.apps import AppConfig


class PipelinesConfig(AppConfig):
    name = "pipelines"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from pipelines.checks import health_checks
        from pipelines.linking import link_entities
        from portal import hooks

        hooks.catalog_changed.register(link_entities)
        hooks.health_checks.register(health_checks)
