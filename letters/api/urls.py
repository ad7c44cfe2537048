from django.urls import path

from letters.api import views

urlpatterns = [
    path("letters/", views.LetterList.as_view(), name="api-letters"),
    path("letters/<uuid:letter_uuid>/", views.LetterDetail.as_view(), name="api-letter"),
    # Whatever stands there: a malformed id is answered like an unknown one.
    path(
        "letters/<str:letter_uuid>/verify/",
        views.LetterVerification.as_view(),
        name="api-verify-letter",
    ),
    path(
        "letters/<uuid:letter_uuid>/revoke/",
        views.RevokeLetter.as_view(),
        name="api-revoke-letter",
    ),
    path(
        "letters/<uuid:letter_uuid>/reinstate/",
        views.ReinstateLetter.as_view(),
        name="api-reinstate-letter",
    ),
]
