"""The addresses of the pipelines room."""

from django.urls import path

from pipelines import (
    activation_views,
    approval_views,
    gate_views,
    glass_views,
    hook_views,
    incident_views,
    promotion_views,
    settle_views,
    standing_views,
    trigger_views,
    views,
)

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
    path("builds/<int:pk>/unblock/", gate_views.build_unblock, name="build_unblock"),
    path("builds/<int:pk>/promote/", promotion_views.build_promote, name="build_promote"),
    path("services/<int:pk>/verdict/", views.service_verdict, name="service_verdict"),
    path("pipelines/<int:pk>/", views.pipeline, name="pipeline"),
    path("pipelines/<int:pk>/run/", trigger_views.trigger_create, name="trigger_create"),
    path(
        "pipelines/<int:pk>/activate/",
        activation_views.pipeline_activate,
        name="pipeline_activate",
    ),
    path("triggers/", settle_views.trigger_list, name="trigger_list"),
    path("triggers/<uuid:request_id>/", trigger_views.trigger_detail, name="trigger_detail"),
    path(
        "triggers/<uuid:request_id>/withdraw/",
        trigger_views.trigger_withdraw,
        name="trigger_withdraw",
    ),
    path(
        "triggers/<uuid:request_id>/approval/", approval_views.approval_give, name="approval_give"
    ),
    path("standing/", standing_views.standing_list, name="standing_list"),
    path("standing/<int:pk>/end/", standing_views.standing_end, name="standing_end"),
    path("pipelines/<int:pk>/standing/", standing_views.standing_create, name="standing_create"),
    path("incidents/", incident_views.incident_list, name="incident_list"),
    path("incidents/<int:pk>/close/", incident_views.incident_close, name="incident_close"),
    path("approvals/", approval_views.approval_list, name="approval_list"),
    path("triggers/<uuid:request_id>/settle/", settle_views.trigger_settle, name="trigger_settle"),
    path("freezes/", glass_views.freeze_list, name="freeze_list"),
    path("glass/", glass_views.glass_list, name="glass_list"),
    path("glass/<int:pk>/", glass_views.glass_detail, name="glass_detail"),
    path("glass/<int:pk>/close/", glass_views.glass_close, name="glass_close"),
    path("glass/<int:pk>/review/", glass_views.glass_review, name="glass_review"),
    path(
        "services/<int:pk>/glass/<slug:environment>/", glass_views.glass_break, name="glass_break"
    ),
]
