"""The program, the run and the learner that the recorded answers tell of."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.core.cache import cache
from pytest_django import Settings

from credentials_portal.accounts.models import User
from programs.models import (
    CourseCertificate,
    CourseCertificateConfiguration,
    ProgramCertificateConfiguration,
)
from tests.programs.credentials_api.conftest import allow
from tests.programs.factories import (
    CourseCertificateFactory,
    CourseFactory,
    CourseRunFactory,
    LearnerFactory,
    ProgramFactory,
    program_requiring,
)

EARNED = datetime(2024, 5, 16, tzinfo=UTC)


def uuid(number: int) -> UUID:
    return UUID(int=number, version=4)


@pytest.fixture
def callers(db: None, settings: Settings) -> dict[str, User]:
    """By name: ada, who has passed the one course of a program; eve, another learner; ines of the
    support, who sees certificates; the worker of the LMS."""
    cache.clear()
    settings.USERNAME_REPLACEMENT_WORKER = "lms_worker"
    settings.PORTAL_BASE_URL = "https://portal.example.org"
    people: dict[str, User] = {
        name: LearnerFactory.create(username=name) for name in ("ada", "eve", "ines", "lms_worker")
    }
    allow(people["ines"], "view")
    allow(people["lms_worker"], "view", "add", "change")
    User.objects.filter(username="lms_worker").update(is_staff=True)
    people["lms_worker"].refresh_from_db()
    course = CourseFactory.create(key="NBx+SC1")
    run = CourseRunFactory.create(course=course, key="course-v1:NBx+SC1+1T2024")
    CourseRunFactory.create(course=course, key="course-v1:NBx+SC1+2T2024")
    CourseCertificateConfiguration.objects.create(pk=501, course_run=run, is_active=True)
    program = program_requiring(core=[course], uuid=uuid(1), title="Supply Chain Practice")
    ProgramCertificateConfiguration.objects.create(pk=401, program=program, is_active=True)
    ProgramFactory.create(uuid=uuid(2), title="Without certificates")
    earned = CourseCertificateFactory.create(user=people["ada"], course_run=run, uuid=uuid(10))
    CourseCertificate.objects.filter(pk=earned.pk).update(created=EARNED, modified=EARNED)
    return people
