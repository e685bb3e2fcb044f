"""Registers the pipelines room with Django and with the hooks of the rooms below."""

from django.apps import AppConfig


class PipelinesConfig(AppConfig):
    name = "pipelines"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from pipelines import banners, ended_tokens, fleet, leavers, repository_panels
        from pipelines.checks import health_checks
        from pipelines.linking import audit_removed, link_entities
        from pipelines.panels import page_panels
        from pipelines.policy_targets import policy_places
        from pipelines.scopes import scope_choices
        from portal import hooks

        hooks.access_ended.register(leavers.end_access)
        hooks.token_ended.register(ended_tokens.end)
        hooks.catalog_changed.register(link_entities)
        hooks.catalog_removing.register(audit_removed)
        hooks.health_checks.register(health_checks)
        hooks.policy_places.register(policy_places)
        hooks.scope_choices.register(scope_choices)
        hooks.page_panels.register(page_panels)
        hooks.page_panels.register(repository_panels.page_panels)
        hooks.page_panels.register(fleet.page_panels)
        hooks.page_panels.register(banners.page_panels)
        hooks.repository_annotations.register(repository_panels.annotations)
