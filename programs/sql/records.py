"""What a program record is made of, in SQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from credentials_portal.core.sql import Fragment
from programs.enums import CertificateStatus


def program_record_head(*, user_id: int, program_uuid: UUID) -> Fragment:
    """A program with what its record says above the rows: one row, or none.

    Columns: those of Program; `school_names` of its authoring organizations; of the learner's
    program certificate `certificate_status`, `certificate_source`, `certificate_awarded_at`,
    `certificate_revocation_kind`.
    """
    return Fragment(
        """
        SELECT program.*,
               ARRAY(
                   SELECT organization.name
                   FROM programs_programauthor AS author
                   JOIN programs_organization AS organization
                     ON organization.id = author.organization_id
                   WHERE author.program_id = program.id
                   ORDER BY author.position, author.id
               ) AS school_names,
               certificate.status AS certificate_status,
               certificate.source AS certificate_source,
               certificate.awarded_at AS certificate_awarded_at,
               certificate.revocation_kind AS certificate_revocation_kind
        FROM programs_program AS program
        LEFT JOIN programs_programcertificate AS certificate
          ON certificate.program_id = program.id AND certificate.user_id = %s
        WHERE program.uuid = %s
        """,
        (user_id, program_uuid),
    )


def program_record_runs(*, user_id: int, program_id: int, at: datetime) -> Fragment:
    """A learner's results in the included runs, in their order, then in other runs of the courses.

    Columns: `course_key`, `course_title`, `owners` (names), `run_key`, `title_override`,
    `is_included`; of the certificate `status`, `awarded_at`, `date_override`, `available_at`; of
    the grade `percent_grade`, `letter_grade`, `verified`, `passed`, `is_final` (the source says
    so, or the run has ended), `modified`. Runs that are not included stand here only where the
    learner has a result in them.
    """
    return Fragment(
        """
        WITH included AS MATERIALIZED (
            SELECT run.id AS run_id, run.course_id, include.position, include.id AS include_id
            FROM programs_programcourserun AS include
            JOIN programs_courserun AS run ON run.id = include.course_run_id
            WHERE include.program_id = %s
        ),
        -- Planned apart from what follows: planning is most of the work.
        offered AS MATERIALIZED (
            SELECT run.id AS run_id, run.key AS run_key, run.title_override, run.end_date,
                   course.id AS course_id, course.key, course.title
            FROM (SELECT DISTINCT course_id FROM included) AS asked
            JOIN programs_course AS course ON course.id = asked.course_id
            JOIN programs_courserun AS run ON run.course_id = course.id
        )
        SELECT offered.key, offered.title,
               ARRAY(
                   SELECT organization.name
                   FROM programs_courseowner AS owner
                   JOIN programs_organization AS organization
                     ON organization.id = owner.organization_id
                   WHERE owner.course_id = offered.course_id
                   ORDER BY owner.position, owner.id
               ),
               offered.run_key, offered.title_override, included.run_id IS NOT NULL,
               certificate.status, certificate.awarded_at, certificate.date_override,
               configuration.certificate_available_date,
               grade.percent_grade, grade.letter_grade, grade.verified, grade.passed,
               grade.is_final OR (offered.end_date <= %s) IS TRUE, grade.modified
        FROM offered
        LEFT JOIN included USING (run_id)
        LEFT JOIN programs_coursecertificate AS certificate
          ON certificate.course_run_id = run_id AND certificate.user_id = %s
        LEFT JOIN programs_coursecertificateconfiguration AS configuration
          ON configuration.course_run_id = run_id
         AND configuration.certificate_type = certificate.mode
        LEFT JOIN programs_coursegrade AS grade
          ON grade.course_run_id = run_id AND grade.user_id = %s
        WHERE included.run_id IS NOT NULL OR certificate.id IS NOT NULL OR grade.id IS NOT NULL
        ORDER BY included.position NULLS LAST, included.include_id, run_id
        """,
        (program_id, at, user_id, user_id),
    )


def program_list_rows(*, user_id: int, at: datetime, statuses: Sequence[str]) -> Fragment:
    """Programs of these statuses with a visible, awarded certificate of a course, by title.

    Columns: `id`, `uuid`, `title`, names of its authoring organizations, and whether the learner
    has a program certificate that is awarded and visible.
    """
    return Fragment(
        """
        WITH mine AS MATERIALIZED (
            SELECT include.program_id,
                   certificate.status = %s
                       AND COALESCE(configuration.certificate_available_date <= %s, TRUE)
                       AS is_earned,
                   COALESCE(configuration.certificate_available_date, certificate.awarded_at)
                       AS visible_from
            FROM programs_coursecertificate AS certificate
            JOIN programs_programcourserun AS include
              ON include.course_run_id = certificate.course_run_id
            LEFT JOIN programs_coursecertificateconfiguration AS configuration
              ON configuration.course_run_id = certificate.course_run_id
             AND configuration.certificate_type = certificate.mode
            WHERE certificate.user_id = %s
        ),
        earned AS MATERIALIZED (
            SELECT program_id, MAX(visible_from) AS visible_from
            FROM mine GROUP BY program_id HAVING bool_or(is_earned)
        )
        SELECT program.id, program.uuid, program.title,
               ARRAY(
                   SELECT organization.name
                   FROM programs_programauthor AS author
                   JOIN programs_organization AS organization
                     ON organization.id = author.organization_id
                   WHERE author.program_id = program.id
                   ORDER BY author.position, author.id
               ),
               EXISTS (
                   SELECT FROM programs_programcertificate AS certificate
                   WHERE certificate.program_id = program.id AND certificate.user_id = %s
                     AND certificate.status = %s
               ) AND earned.visible_from <= %s
        FROM earned
        JOIN programs_program AS program ON program.id = earned.program_id
        WHERE program.status = ANY(%s)
        ORDER BY program.title, program.id
        """,
        (
            *(CertificateStatus.AWARDED, at, user_id),
            *(user_id, CertificateStatus.AWARDED, at, list(statuses)),
        ),
    )
