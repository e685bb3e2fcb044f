"""The addresses of the pipelines room."""

from django.urls import URLPattern

app_name = "pipelines"
urlpatterns: list[URLPattern] = []
