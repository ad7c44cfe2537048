"""From when learners see the certificates of a run, as the LMS tells."""

from http import HTTPStatus
from typing import Any

from django.utils.functional import cached_property
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.api.wire import is_storable
from programs.api.v2 import documentation
from programs.api.v2.credentials import bad_request
from programs.api.v2.grades import FIXED, NO_RUN
from programs.api.v2.permissions import needs
from programs.api.v2.serializers import (
    CourseConfigurationSerializer,
    ToldCourseConfigurationSerializer,
)
from programs.api.v2.views import FromTheLms
from programs.models import CourseCertificateConfiguration, CourseRun
from programs.services.configurations import (
    ConfigurationDetails,
    ConfigurationTakenError,
    change_course_certificate,
    configurations_of,
    configure_course_certificate,
)

MODEL = "coursecertificateconfiguration"


class Configurations(FromTheLms):
    permission_classes = [
        needs(
            GET=f"programs.view_{MODEL}",
            POST=f"programs.add_{MODEL}",
            PUT=f"programs.change_{MODEL}",
            PATCH=f"programs.change_{MODEL}",
        )
    ]
    serializer_class = ToldCourseConfigurationSerializer


class ConfigurationList(Configurations):
    @documentation.CONFIGURE
    def post(self, request: Request) -> Response:
        wanted = self.wanted()
        run = CourseRun.objects.filter(key=wanted["course_id"]).first()
        if run is None:
            raise bad_request({"course_id": [NO_RUN.format(wanted["course_id"])]})
        configuration = configure_course_certificate(
            run=run,
            certificate_type=wanted["certificate_type"],
            details=_details(wanted),
            by=self.attribution("configure_certificate"),
        )
        return Response(
            CourseConfigurationSerializer(configuration).data, status=HTTPStatus.CREATED
        )


class ConfigurationDetail(Configurations):
    @documentation.CONFIGURATION_OPERATION
    def get(self, request: Request, course_id: str) -> Response:
        return Response(CourseConfigurationSerializer(self.configuration).data)

    @documentation.REPLACE_CONFIGURATION
    def put(self, request: Request, course_id: str) -> Response:
        return self._change(self.wanted())

    @documentation.CHANGE_CONFIGURATION
    def patch(self, request: Request, course_id: str) -> Response:
        serializer = self.get_serializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self._change(dict(serializer.validated_data))

    @cached_property
    def configuration(self) -> CourseCertificateConfiguration:
        """The run's, an active one first. Raises `NotFound`."""
        key = self.kwargs["course_id"]
        run = CourseRun.objects.filter(key=key).first() if is_storable(key) else None
        found = configurations_of(run) if run else []
        if not found:
            raise NotFound
        return found[0]

    def _change(self, wanted: dict[str, Any]) -> Response:
        if wanted.get("course_id", self.kwargs["course_id"]) != self.kwargs["course_id"]:
            raise bad_request({"course_id": [FIXED]})
        details = _details(wanted)
        if "certificate_type" in wanted:
            details["certificate_type"] = wanted["certificate_type"]
        try:
            changed = change_course_certificate(
                configuration=self.configuration,
                details=details,
                by=self.attribution("configure_certificate"),
            )
        except ConfigurationTakenError as error:
            raise bad_request({"certificate_type": [error.message]}) from None
        return Response(CourseConfigurationSerializer(changed).data)


def _details(wanted: dict[str, Any]) -> ConfigurationDetails:
    details = ConfigurationDetails()
    if "certificate_available_date" in wanted:
        details["certificate_available_date"] = wanted["certificate_available_date"]
    if "is_active" in wanted:
        details["is_active"] = wanted["is_active"]
    return details
