from django.urls import URLPattern, URLResolver, include, path

of_program: list[URLPattern | URLResolver] = []

urlpatterns = [
    path("programs/<uuid:program_uuid>/", include(of_program)),
]
