"""Registers the catalog room with Django."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CatalogConfig(AppConfig):
    name = "catalog"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from catalog import panels, search_index, version
        from catalog.people import subjects_of, subjects_of_all
        from catalog.policy_places import policy_places
        from catalog.scopes import scope_choices
        from catalog.source_status import health_checks
        from portal import api_tokens, hooks

        api_tokens.also_ask(version.QUERY)
        hooks.page_panels.register(panels.home_teams)
        hooks.scope_choices.register(scope_choices)
        hooks.subjects_of.register(subjects_of)
        hooks.subjects_of_all.register(subjects_of_all)
        hooks.policy_places.register(policy_places)
        hooks.health_checks.register(health_checks)
        hooks.health_checks.register(search_index.health_checks)
        post_migrate.connect(search_index.ensure_after_migrate, sender=self)
