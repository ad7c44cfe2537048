"""Grades, as the LMS tells of them, by a form or in JSON."""

from http import HTTPStatus
from typing import Any

from django.utils.functional import cached_property
from rest_framework.exceptions import NotFound
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.accounts.services import AccountRetiredError, NamedPerson
from credentials_portal.api.wire import WireView
from programs.api.v2 import documentation
from programs.api.v2.credentials import bad_request
from programs.api.v2.permissions import needs
from programs.api.v2.serializers import GradeSerializer, ToldGradeSerializer
from programs.api.v2.views import CredentialsView
from programs.models import CourseGrade
from programs.services.telling import RunUnknownError, ToldGrade, tell_grade

NO_RUN = "No CourseRun exists for key [{}]"
FIXED = "This field cannot be changed."


class Grades(CredentialsView):
    throttle_scope, rate = "grades", "90/min"
    parser_classes = [*WireView.parser_classes, FormParser]
    serializer_class = ToldGradeSerializer

    def told_by(self, *, partial: bool = False) -> dict[str, Any]:
        """The valid values of the body. Raises `ValidationError`."""
        serializer = ToldGradeSerializer(data=self.plain_body(), partial=partial)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def tell(self, username: str, run_key: str, told: dict[str, Any]) -> Any:
        """Store what was told; the grade as it stands then. Raises `WireError`."""
        names = ToldGrade.__annotations__
        grade = ToldGrade(**{name: told[name] for name in names if name in told})  # type: ignore[typeddict-item]  # names of its own
        try:
            grade_id = tell_grade(
                learner=NamedPerson(username),
                course_run_key=run_key,
                told=grade,
                by=self.attribution("tell_grade"),
            )
        except RunUnknownError:
            raise bad_request({"course_run": [NO_RUN.format(run_key)]}) from None
        except AccountRetiredError as error:
            raise bad_request({"username": [error.message]}) from None
        return GradeSerializer(_grades().get(pk=grade_id)).data


class GradeList(Grades):
    permission_classes = [needs(POST="programs.add_coursegrade")]

    @documentation.TELL_GRADE
    def post(self, request: Request) -> Response:
        told = self.told_by()
        answer = self.tell(told["username"], told["course_run"], told)
        return Response(answer, status=HTTPStatus.CREATED)


class GradeDetail(Grades):
    permission_classes = [
        needs(PUT="programs.change_coursegrade", PATCH="programs.change_coursegrade")
    ]

    @documentation.REPLACE_GRADE
    def put(self, request: Request, grade_id: str) -> Response:
        return self._change(self.told_by())

    @documentation.CHANGE_GRADE
    def patch(self, request: Request, grade_id: str) -> Response:
        return self._change(self.told_by(partial=True))

    @cached_property
    def grade(self) -> CourseGrade:
        """Raises `NotFound`."""
        grade: CourseGrade | None = _grades().filter(pk=self.kwargs["grade_id"]).first()
        if grade is None:
            raise NotFound
        return grade

    def _change(self, told: dict[str, Any]) -> Response:
        username, run_key = self.grade.user.get_username(), self.grade.course_run.key
        given = told.get("username", username).lower(), told.get("course_run", run_key)
        changed = [
            name
            for name, known, now in zip(
                ("username", "course_run"), (username.lower(), run_key), given, strict=True
            )
            if known != now
        ]
        if changed:
            raise bad_request({name: [FIXED] for name in changed})
        return Response(self.tell(username, run_key, told))


def _grades() -> Any:
    return CourseGrade.objects.select_related("user", "course_run")
