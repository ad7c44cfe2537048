from django.urls import include, path, register_converter
from django.urls.converters import StringConverter

from letters import views


class Sha256Converter(StringConverter):
    regex = "[0-9a-f]{64}"


register_converter(Sha256Converter, "sha256")

urlpatterns = [
    path("api/letters/v1/", include("letters.api.urls")),
    path("letters/", views.letters, name="letters"),
    path("letter/program/<uuid:letter_uuid>/", views.program_letter, name="program_letter"),
    path(
        "letter/program/<uuid:letter_uuid>.pdf", views.program_letter_pdf, name="program_letter_pdf"
    ),
    path("letter/program/<uuid:letter_uuid>/verify/", views.verify_letter, name="verify_letter"),
    path("letter/picture/<sha256:sha256>.png", views.letter_picture, name="letter_picture"),
]
