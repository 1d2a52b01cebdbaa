"""Addresses of the site: pages, the two admins, the API."""

from django.contrib import admin
from django.urls import include, path

from config.metrics import metrics
from config.openapi import description
from subnets.admin import owner_site

urlpatterns = [
    path("metrics", metrics, name="metrics"),
    # Programs ask most often, and each pattern above theirs would be tried at every request.
    path("api/v1/", include("marketplace.api.urls")),
    path("api/v1/", include("compute.api.urls")),
    path("api/v1/", include("subnets.api.urls")),
    path("api/v1/openapi.json", description, name="openapi"),
    path("", include("marketplace.pages.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("owner/", owner_site.urls),
]

handler400 = "config.problems.bad_request"
handler404 = "config.problems.page_not_found"
handler500 = "config.problems.server_error"
