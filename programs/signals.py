"""What `programs` announces. All are sent by its services, inside the transaction, once per set.

Not sent by raw SQL, `QuerySet.update` or a shell; the nightly sweeps of the apps above find
what such changes did.
"""

from dataclasses import dataclass

from django.dispatch import Signal


@dataclass(frozen=True)
class RunFact:
    """Something about one learner in one run."""

    user_id: int
    course_run_id: int


@dataclass(frozen=True)
class ProgramFact:
    """Something about one learner in one program."""

    user_id: int
    program_id: int


@dataclass(frozen=True)
class CreditRequestFact:
    """A learner's request to an institution, by the id of its row."""

    request_id: int
    user_id: int
    pathway_id: int
    program_id: int


@dataclass(frozen=True)
class ProgramChange:
    program_id: int


course_grade_changed = Signal()
"""Grades were created, changed or deleted; not when the same grade arrived again.
Items: `RunFact`."""

course_certificate_awarded = Signal()
"""Course certificates were awarded, or awarded again after a revocation. Items: `RunFact`."""

course_certificate_revoked = Signal()
"""Course certificates were revoked or deleted. Items: `RunFact`."""

program_certificate_awarded = Signal()
"""Program certificates were awarded, from any source. Items: `ProgramFact`."""

program_certificate_revoked = Signal()
"""Program certificates were revoked. Items: `ProgramFact`."""

program_requirements_changed = Signal()
"""A program got another version of its requirements, includes other runs, or one of its runs got
another end or course; not when a version defined earlier takes effect, nor when a run ends as it
was to. Items: `ProgramChange`."""

course_enrollment_changed = Signal()
"""Enrollments in runs began, ended or changed mode. Items: `RunFact`."""

credit_requested = Signal()
"""A learner, or staff for one, asked an institution for credit; not when the same request came twice
within two minutes, nor for imported rows. Items: `CreditRequestFact`."""
