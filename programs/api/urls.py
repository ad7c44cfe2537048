"""The old credentials service's paths, and our own under `/api/programs/v1/`."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("programs.api.record_urls")),
]
