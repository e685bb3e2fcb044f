"""The addresses of the catalog's API, which are Backstage's."""

from django.urls import URLPattern, path

from catalog.api import entity_views, facet_views, query_views
from portal.api_views import api

app_name = "catalog_api"

NAMED = "<str:kind>/<str:namespace>/<str:name>"

urlpatterns: list[URLPattern] = [
    path("entities", api(GET=entity_views.entities)),
    path("entities/by-query", api(GET=query_views.by_query, POST=query_views.by_query_body)),
    path("entities/by-refs", api(POST=entity_views.by_refs)),
    path(f"entities/by-name/{NAMED}", api(GET=entity_views.by_name)),
    path(f"entities/by-name/{NAMED}/ancestry", api(GET=entity_views.ancestry)),
    path("entities/by-uid/<str:uid>", api(GET=entity_views.by_uid)),
    path(
        "entity-facets",
        api(GET=facet_views.entity_facets, POST=facet_views.entity_facets_body),
    ),
]
