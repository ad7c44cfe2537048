"""The old credentials service's paths, and our own under `/api/programs/v1/`."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
