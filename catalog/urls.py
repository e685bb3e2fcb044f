"""The catalog's addresses; entities have Backstage's paths, so that its links keep working."""

from django.urls import path

from catalog import source_views, views

app_name = "catalog"

urlpatterns = [
    path("catalog/", views.entity_list, name="entity_list"),
    path("catalog/states/", views.entity_states, name="entity_states"),
    path("teams/", views.team_list, name="team_list"),
    path("sources/", source_views.source_list, name="source_list"),
    path("sources/<slug:slug>/", source_views.source_detail, name="source_detail"),
    path("sources/<slug:slug>/sync/", source_views.source_sync, name="source_sync"),
    path(
        "catalog/<str:namespace>/component/<str:name>/", views.service_detail, name="service_detail"
    ),
    path("catalog/<str:namespace>/group/<str:name>/", views.team_detail, name="team_detail"),
    path(
        "catalog/<str:namespace>/<str:kind>/<str:name>/", views.entity_detail, name="entity_detail"
    ),
    path("catalog/<str:namespace>/<str:kind>/<str:name>/raw/", views.entity_raw, name="entity_raw"),
]
