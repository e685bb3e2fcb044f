"""The catalog's addresses; entities have Backstage's paths, so that its links keep working."""

from django.urls import path

from catalog import (
    conflict_views,
    definition_views,
    entity_views,
    export,
    graph_views,
    hook_views,
    list_views,
    people_views,
    refresh_views,
    register_views,
    repository_views,
    search_views,
    source_views,
    stars,
    system_views,
    team_role_views,
    team_views,
    unregister_views,
)
from catalog.docs import views as doc_views

app_name = "catalog"

ENTITY = "catalog/<str:namespace>/<str:kind>/<str:name>/"

urlpatterns = [
    path("catalog/", list_views.entity_list, name="entity_list"),
    path("catalog/states/", list_views.entity_states, name="entity_states"),
    path("catalog/facets/", list_views.entity_facets, name="entity_facets"),
    path("catalog/export.<str:format>", export.entity_export, name="entity_export"),
    path("search/", search_views.search, name="search"),
    path("teams/", team_views.team_list, name="team_list"),
    path("hooks/catalog/<str:slug>/", hook_views.source_hook, name="source_hook"),
    path("repositories/", repository_views.repository_list, name="repository_list"),
    path("repositories/<int:pk>/", repository_views.repository_detail, name="repository_detail"),
    path("register/", register_views.register, name="register"),
    path("register/preview/", register_views.register_preview, name="register_preview"),
    path("register/descriptor/", register_views.register_descriptor, name="register_descriptor"),
    path("sources/", source_views.source_list, name="source_list"),
    path("sources/<slug:slug>/", source_views.source_detail, name="source_detail"),
    path("sources/<slug:slug>/sync/", source_views.source_sync, name="source_sync"),
    path("sources/<slug:slug>/dry-run/", source_views.source_dry_run, name="source_dry_run"),
    path("sources/<slug:slug>/release/", source_views.source_release, name="source_release"),
    # Kinds with a page of their own come before ENTITY, which takes all others.
    path(
        "catalog/<str:namespace>/component/<str:name>/",
        entity_views.service_detail,
        name="service_detail",
    ),
    path("catalog/<str:namespace>/group/<str:name>/", team_views.team_detail, name="team_detail"),
    path(
        "catalog/<str:namespace>/group/<str:name>/roles/",
        team_role_views.team_roles_page,
        name="team_roles_page",
    ),
    path(
        "catalog/<str:namespace>/group/<str:name>/roles/<int:pk>/take-back/",
        team_role_views.team_role_take_back,
        name="team_role_take_back",
    ),
    path("catalog/<str:namespace>/user/<str:name>/", people_views.user_detail, name="user_detail"),
    path(
        "catalog/<str:namespace>/system/<str:name>/",
        system_views.system_detail,
        name="system_detail",
    ),
    path(
        "catalog/<str:namespace>/domain/<str:name>/",
        system_views.domain_detail,
        name="domain_detail",
    ),
    path(ENTITY, entity_views.entity_detail, name="entity_detail"),
    path(f"{ENTITY}docs/", doc_views.entity_docs, name="entity_docs"),
    path(f"{ENTITY}docs/<path:page>", doc_views.entity_docs, name="entity_docs"),
    path(f"{ENTITY}definition/", definition_views.entity_definition, name="entity_definition"),
    path(f"{ENTITY}conflict/", conflict_views.conflict_decide, name="conflict_decide"),
    path(f"{ENTITY}graph/", graph_views.entity_graph, name="entity_graph"),
    path(f"{ENTITY}refresh/", refresh_views.entity_refresh, name="entity_refresh"),
    path(f"{ENTITY}unregister/", unregister_views.entity_unregister, name="entity_unregister"),
    path(f"{ENTITY}raw/", entity_views.entity_raw, name="entity_raw"),
    path(f"{ENTITY}star/", stars.entity_star, name="entity_star"),
]
