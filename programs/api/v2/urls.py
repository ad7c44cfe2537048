"""The old credentials service's paths under `/api/v2/` for its LMS."""

from django.urls import path, re_path

from credentials_portal.api.views import UnknownWireResource
from programs.api.v2 import configurations, credentials, grades, usernames

HEX = "[0-9a-f]"
UUID = f"{HEX}{{8}}-?(?:{HEX}{{4}}-?){{3}}{HEX}{{12}}"

urlpatterns = [
    path("credentials/", credentials.CredentialList.as_view()),
    re_path(
        rf"^credentials/(?P<certificate_uuid>{UUID})/$", credentials.CredentialDetail.as_view()
    ),
    re_path(r"^credentials/[^/]*/$", UnknownWireResource.as_view()),
    path("grades/", grades.GradeList.as_view()),
    re_path(r"^grades/(?P<grade_id>[0-9]{1,18})/$", grades.GradeDetail.as_view()),
    re_path(r"^grades/[^/]*/$", UnknownWireResource.as_view()),
    path("course_certificates/", configurations.ConfigurationList.as_view()),
    # Keys of runs hold colons, plus signs, dots, and the oldest ones slashes.
    re_path(
        r"^course_certificates/(?P<course_id>[\s\S]+)/$",
        configurations.ConfigurationDetail.as_view(),
    ),
    path("replace_usernames/", usernames.ReplaceUsernames.as_view()),
]
