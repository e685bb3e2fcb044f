"""The addresses of the catalog's API, which are Backstage's."""

from django.urls import URLPattern, path

from catalog.api import (
    action_views,
    entity_views,
    facet_views,
    location_views,
    openapi,
    query_views,
)
from portal.api_views import api

app_name = "catalog_api"

NAMED = "<str:kind>/<str:namespace>/<str:name>"

urlpatterns: list[URLPattern] = [
    path("entities", api(GET=entity_views.entities)),
    path("entities/by-query", api(GET=query_views.by_query, POST=query_views.by_query_body)),
    path("entities/by-refs", api(POST=entity_views.by_refs)),
    path(f"entities/by-name/{NAMED}", api(GET=entity_views.by_name)),
    path(f"entities/by-name/{NAMED}/ancestry", api(GET=entity_views.ancestry)),
    path(
        "entities/by-uid/<str:uid>", api(GET=entity_views.by_uid, DELETE=action_views.remove_entity)
    ),
    path(
        "entity-facets",
        api(GET=facet_views.entity_facets, POST=facet_views.entity_facets_body),
    ),
    path("refresh", api(POST=action_views.refresh_entity)),
    path("validate-entity", api(POST=action_views.validate_entity)),
    path("analyze-location", api(POST=location_views.analyze_location)),
    path(
        "locations",
        api(GET=location_views.locations, POST=location_views.add_location),
    ),
    path("locations/by-query", api(POST=location_views.locations_by_query)),
    path(f"locations/by-entity/{NAMED}", api(GET=location_views.location_by_entity)),
    path(
        "locations/<str:slug>",
        api(
            GET=location_views.location,
            PUT=location_views.change_location,
            DELETE=location_views.remove_location,
        ),
    ),
    path("openapi.json", api(GET=openapi.openapi)),
]
