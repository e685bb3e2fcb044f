"""Every address of SCIM, below /scim/v2/."""

from django.urls import URLPattern, path, re_path

from portal.scim import views
from portal.scim.protocol import METHODS, endpoint

app_name = "scim"

USER = {
    "GET": views.get_user,
    "PUT": views.replace_user,
    "PATCH": views.patch_user,
    "DELETE": views.delete_user,
}
GROUP = {
    "GET": views.get_group,
    "PUT": views.replace_group,
    "PATCH": views.patch_group,
    "DELETE": views.delete_group,
}

urlpatterns: list[URLPattern] = [
    path("Bulk", endpoint(POST=views.not_offered)),
    re_path(r"^(?:Users/|Groups/)?\.search$", endpoint(POST=views.not_offered)),
    path("Users", endpoint(GET=views.list_users, POST=views.create_user)),
    path("Users/<str:pk>", endpoint(**USER)),
    path("Groups", endpoint(GET=views.list_groups, POST=views.create_group)),
    path("Groups/<str:pk>", endpoint(**GROUP)),
    path("ServiceProviderConfig", endpoint(GET=views.service_provider_config)),
    path("ResourceTypes", endpoint(GET=views.resource_types)),
    path("ResourceTypes/<str:name>", endpoint(GET=views.resource_types)),
    path("Schemas", endpoint(GET=views.schemas)),
    path("Schemas/<str:name>", endpoint(GET=views.schemas)),
    re_path("", endpoint(**dict.fromkeys(METHODS, views.unknown))),
]
