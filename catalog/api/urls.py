"""The addresses of the catalog's API, which are Backstage's."""

from django.urls import URLPattern

app_name = "catalog_api"

urlpatterns: list[URLPattern] = []
