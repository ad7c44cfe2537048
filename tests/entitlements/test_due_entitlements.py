"""The rule in SQL says the same as `evaluate`, row by row and in any session's time zone."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import uuid4

import pytest
from django.db import connection

from entitlements.enums import ExpiryReason
from entitlements.models import CourseEntitlement, CourseEntitlementPolicy
from entitlements.selectors.judging import judge
from entitlements.sql import due_entitlements, subjects
from programs.enums import CertificateStatus
from programs.models import CourseCertificate, CourseEnrollment, CourseRun
from tests.entitlements.factories import DAY, INSTANT, PolicyFactory
from tests.programs.factories import CourseFactory, LearnerFactory

pytestmark = pytest.mark.django_db

# Two days after the clocks of New York went forward, and two days after they went back.
INSTANTS = [datetime(2025, 3, 11, 4, tzinfo=UTC), datetime(2025, 11, 4, 5, tzinfo=UTC)]
SHIFTS = [-INSTANT, timedelta(0), INSTANT]
AGES = [0, 1, 2, 3, 13, 14, 15, 16, 59, 60, 61, 200, 400, 729, 730, 731]
CERTIFICATES = ["", "", "", "notpassing", "downloadable", "generating", "unavailable", "awarded"]
EXTENSIONS = [None, None, None, *(timedelta(hours=hours) for hours in (-24, 0, 1, 24))]
RANDOM_ROWS = 1_200


@pytest.fixture
def policies() -> list[CourseEntitlementPolicy | None]:
    return [
        None,
        PolicyFactory.create(mode="professional", regain_period=2 * DAY),
        PolicyFactory.create(mode="verified", expiration_period=61 * DAY, refund_period=0 * DAY),
    ]


def unused(at: datetime, policies: list[CourseEntitlementPolicy | None]) -> list[CourseEntitlement]:
    """All that ends by its period, at each side of it."""
    learner_id = LearnerFactory.create().pk
    return [
        CourseEntitlement(
            user_id=learner_id,
            course_uuid=uuid4(),
            mode="verified",
            policy=policy,
            created=at - age * DAY + shift,
            extended_until=at + extension + shift if extension is not None else None,
        )
        for policy, age, shift, extension in product(
            policies, (61, 730), SHIFTS, (None, timedelta(0))
        )
    ]


class Rows:
    """Rows of any kind, most of them within an instant of a boundary."""

    def __init__(self, at: datetime, policies: list[CourseEntitlementPolicy | None]) -> None:
        self.at = at
        self.policies = policies
        self.random = random.Random(at.month)  # noqa: S311 - repeatable, no secret
        self.learner_id = LearnerFactory.create().pk
        self.course = CourseFactory.create()

    def add(self, count: int) -> None:
        starts = [self.moment() if self.random.random() < 0.85 else None for _ in range(count)]
        runs = CourseRun.objects.bulk_create(
            CourseRun(course=self.course, key=f"run-{self.at.month}-{number}", start_date=start)
            for number, start in enumerate(starts)
        )
        certificates = [self.random.choice(CERTIFICATES) for _ in runs]
        enrollments = CourseEnrollment.objects.bulk_create(
            CourseEnrollment(
                user_id=self.learner_id,
                course_run=run,
                mode="verified",
                created=self.moment(),
                certificate_status="" if status == "awarded" else status,
            )
            for run, status in zip(runs, certificates, strict=True)
        )
        CourseCertificate.objects.bulk_create(
            CourseCertificate(
                user_id=self.learner_id,
                course_run=run,
                status=CertificateStatus.AWARDED,
                awarded_at=self.at,
            )
            for run, status in zip(runs, certificates, strict=True)
            if status == "awarded"
        )
        CourseEntitlement.objects.bulk_create(self.entitlement(each) for each in enrollments)

    def entitlement(self, enrollment: CourseEnrollment) -> CourseEntitlement:
        is_used = self.random.random() < 0.8
        is_imported = self.random.random() < 0.3
        is_ended = self.random.random() < 0.1
        extension = self.random.choice(EXTENSIONS)
        return CourseEntitlement(
            user_id=self.learner_id,
            course_uuid=self.course.uuid,
            mode="verified",
            policy=self.random.choice(self.policies),
            created=self.moment(),
            enrollment_course_run=enrollment if is_used else None,
            redeemed_at=self.moment() if is_used and not is_imported else None,
            extended_until=self.at + extension if extension is not None else None,
            expired_at=self.at - DAY if is_ended else None,
            expired_reason=ExpiryReason.SUPPORT if is_ended else "",
        )

    def moment(self) -> datetime:
        if self.random.random() < 0.2:
            return self.at - self.random.random() * 800 * DAY
        return self.at - self.random.choice(AGES) * DAY + self.random.choice(SHIFTS)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("at", INSTANTS)
def test_says_what_the_rule_says(
    at: datetime, zone: str, policies: list[CourseEntitlementPolicy | None]
) -> None:
    Rows(at, policies).add(RANDOM_ROWS)
    CourseEntitlement.objects.bulk_create(unused(at, policies))
    rows = CourseEntitlement.objects.select_related("policy").order_by("pk")
    expected = {
        one.entitlement.pk: (
            one.usage.course_run_id if one.usage else None,
            one.decision.expired_reason,
        )
        for one in judge(rows, at=at)
        if one.decision.is_expired and one.entitlement.expired_at is None
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone])
        fragment = due_entitlements(subjects(CourseEntitlement.objects.all()), at=at)
        cursor.execute(fragment.sql, fragment.params)
        due = {pk: (course_run_id, reason) for pk, course_run_id, reason in cursor.fetchall()}

    assert due == expected
    reasons = Counter(reason for _run, reason in due.values())
    assert min(reasons[reason] for reason in ("period", "regain", "certificate")) > 50
    assert len(rows) - len(due) > 300
