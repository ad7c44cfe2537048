"""Migrations of what was stored before: each runs here on rows as they used to be."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution, rows_without_true_history
from programs.enums import CertificateSource
from programs.models import (
    Course,
    CourseCertificate,
    Program,
    ProgramCertificate,
    RequirementGroup,
)
from programs.services import (
    CertificateRecord,
    RequiredGroup,
    award_program_certificates,
    define_requirements,
    record_course_certificates,
    revoke_program_certificates,
)
from tests.programs.factories import (
    AT,
    BY,
    CourseFactory,
    CourseRunFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    ProgramFactory,
)

pytestmark = pytest.mark.django_db


def migration(name: str) -> Any:
    return import_module(f"programs.migrations.{name}")


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        # A table is not altered while what it must check at commit is open.
        cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; {sql}")


def define(program: Program, *sets: tuple[str, list[Course]]) -> list[RequirementGroup]:
    """The rows of these elective sets, each of a title and courses."""
    groups = [
        RequiredGroup(tuple(course.pk for course in asked), 1, title) for title, asked in sets
    ]
    return list(define_requirements(program=program, groups=groups, by=BY).groups.all())


def test_sets_are_numbered_by_the_row_that_they_first_had() -> None:
    program, other = ProgramFactory.create_batch(2)
    first, second, third, fourth = CourseFactory.create_batch(4)
    tools, unnamed = define(program, ("Tools", [first]), ("", [second]))
    named, new, longer = define(
        program, ("Theory", [second]), ("History", [third]), ("Tools", [first, fourth])
    )
    (elsewhere,) = define(other, ("Tools", [first]))
    execute(
        """
        ALTER TABLE programs_requirementgroup
            DROP CONSTRAINT requirement_group_sets_have_numbers,
            DISABLE TRIGGER requirement_group_immutable;
        UPDATE programs_requirementgroup SET number = NULL;
        ALTER TABLE programs_requirementgroup ENABLE TRIGGER requirement_group_immutable;
        """
    )

    with connection.schema_editor(atomic=False) as editor:
        migration("0004_number_elective_sets").number_sets(apps, editor)

    numbers = dict(RequirementGroup.objects.values_list("pk", "number"))
    assert [numbers[group.pk] for group in (tools, unnamed, named, new, longer, elsewhere)] == [
        *(tools.pk, unnamed.pk, unnamed.pk, new.pk, tools.pk),
        elsewhere.pk,
    ]


def test_the_portals_own_revocations_are_told_from_decisions() -> None:
    program = ProgramFactory.create()
    own, decided, sent = (
        ProgramCertificateFactory.create(program=program, **fields)
        for fields in ({}, {}, {"from_lms": True})
    )
    kept = ProgramCertificateFactory.create()
    revoke_program_certificates(program=program, user_ids=[decided.user_id], reason="copied", by=BY)
    revoke_program_certificates(
        program=program, user_ids=[sent.user_id], reason="not_complete", by=BY
    )
    award_program_certificates(program=program, by=BY)
    kinds = dict(ProgramCertificate.objects.values_list("pk", "revocation_kind"))
    execute(
        "ALTER TABLE programs_programcertificate DROP CONSTRAINT program_certificate_revocation_has_kind"
    )
    (revocations, _sources) = migration(
        "0007_tell_revocations_and_sources_by_code"
    ).Migration.operations

    execute(revocations.reverse_sql)
    reasons = dict(ProgramCertificate.objects.values_list("pk", "revocation_reason"))
    execute(revocations.sql)

    assert reasons == {
        own.pk: "not_complete",
        decided.pk: "copied",
        sent.pk: "not_complete",
        kept.pk: "",
    }
    assert dict(ProgramCertificate.objects.values_list("pk", "revocation_kind")) == kinds
    assert kinds == {own.pk: "not_complete", decided.pk: "decided", sent.pk: "decided", kept.pk: ""}
    own.refresh_from_db()
    assert own.revocation_reason == ""
    assert rows_without_true_history(ProgramCertificate) == 0


def test_certificates_that_staff_gave_are_told_from_those_of_the_lms() -> None:
    run = CourseRunFactory.create()
    given, sent, resent = LearnerFactory.create_batch(3)

    def record(learner: User, cause: str, mode: str = "verified") -> None:
        by = Attribution(at=AT, cause=cause)
        record_course_certificates([CertificateRecord(learner.pk, run.pk, AT, mode=mode)], by=by)

    record(given, "admin")
    record(sent, "command:import")
    record(resent, "admin")
    record(resent, "command:import", mode="honor")
    (_revocations, sources) = migration(
        "0007_tell_revocations_and_sources_by_code"
    ).Migration.operations

    execute(sources.sql)

    assert dict(CourseCertificate.objects.values_list("user_id", "source")) == {
        given.pk: CertificateSource.STAFF,
        sent.pk: CertificateSource.LMS,
        resent.pk: CertificateSource.LMS,
    }
    assert rows_without_true_history(CourseCertificate) == 0
