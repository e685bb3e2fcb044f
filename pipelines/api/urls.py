"""The addresses of the API of builds and triggers. None of them approves anything."""

from django.urls import URLPattern, path

from pipelines.api import openapi, read_views, trigger_views
from portal.api_views import api

app_name = "pipelines_api"

urlpatterns: list[URLPattern] = [
    path("services/<str:kind>/<str:namespace>/<str:name>", api(GET=read_views.service)),
    path("builds/<int:pk>", api(GET=read_views.build), name="build"),
    path("builds/<int:pk>/log", api(GET=read_views.build_log)),
    path("triggers", api(POST=trigger_views.create)),
    path("triggers/<uuid:request_id>", api(GET=trigger_views.trigger), name="trigger"),
    path("triggers/<uuid:request_id>/withdraw", api(POST=trigger_views.withdraw)),
    path("openapi.json", api(GET=openapi.openapi)),
]
