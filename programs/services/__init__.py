"""Writes of `programs`: every decision that changes its data."""

from programs.services.catalog import RunRecord, record_course_runs, save_course_run
from programs.services.certificates import (
    CertificateRecord,
    award_program_certificates,
    record_course_certificates,
    revoke_program_certificates,
)
from programs.services.enrollments import (
    EnrollmentRecord,
    enroll_in_programs,
    enroll_in_run,
    leave_run,
    record_course_enrollments,
)
from programs.services.grades import GradeRecord, delete_grades, passes, record_grades
from programs.services.requirements import (
    ImpossibleRequirementsError,
    Preview,
    RequiredGroup,
    define_requirements,
    include_runs,
    preview,
    requirements_of,
)
from programs.services.retirement import forget_learner

__all__ = [
    "CertificateRecord",
    "EnrollmentRecord",
    "GradeRecord",
    "ImpossibleRequirementsError",
    "Preview",
    "RequiredGroup",
    "RunRecord",
    "award_program_certificates",
    "define_requirements",
    "delete_grades",
    "enroll_in_programs",
    "enroll_in_run",
    "forget_learner",
    "include_runs",
    "leave_run",
    "passes",
    "preview",
    "record_course_certificates",
    "record_course_enrollments",
    "record_course_runs",
    "record_grades",
    "requirements_of",
    "revoke_program_certificates",
    "save_course_run",
]
