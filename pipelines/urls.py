"""The addresses of the pipelines room."""

from django.urls import path

from pipelines import hook_views, trigger_views, views

app_name = "pipelines"

urlpatterns = [
    # Behind it may stand a secret, which portal.middleware takes away before it is looked up here.
    path("hooks/<str:slug>/", hook_views.hook_receive, name="hook_receive"),
    path("builds/", views.build_list, name="build_list"),
    path("builds/<int:pk>/", views.build_detail, name="build_detail"),
    path("builds/<int:pk>/status/", views.build_status, name="build_status"),
    path("builds/<int:pk>/log/", views.build_log, name="build_log"),
    path("builds/<int:pk>/log/export/", views.build_log_export, name="build_log_export"),
    path("builds/<int:pk>/cancel/", trigger_views.build_cancel, name="build_cancel"),
    path("builds/<int:pk>/retry/", trigger_views.build_retry, name="build_retry"),
    path("services/<int:pk>/verdict/", views.service_verdict, name="service_verdict"),
    path("pipelines/<int:pk>/", views.pipeline, name="pipeline"),
    path("pipelines/<int:pk>/run/", trigger_views.trigger_create, name="trigger_create"),
    path("triggers/<uuid:request_id>/", trigger_views.trigger_detail, name="trigger_detail"),
]
