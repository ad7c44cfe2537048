"""The rule of completion, in SQL. `programs.selectors` publishes it.

Source: MITx MicroMasters' core and elective sets, with three repairs: an empty requirement set
is never complete, only included runs count, and a revoked certificate voids its run's grade.
"""

from datetime import datetime

from credentials_portal.core.sql import Fragment
from programs.enums import CertificateStatus, GroupKind, ProgramStatus

REQUIREMENTS_DEFINED = "requirements_defined"
REQUIREMENTS_SATISFIABLE = "requirements_satisfiable"
CORE_COURSE = "core_course"
ELECTIVE_SET = "elective_set"


def passed_runs(*, at: datetime) -> Fragment:
    """Runs that learners passed: user_id, course_run_id, source, source_id, earned_at.

    A run is passed by an awarded certificate, or, where there is no certificate at all, by a
    final and verified grade that passes. A grade is final when its source says so or the run
    has ended at `at`. `earned_at` is the certificate's or the grade's date, else the run's end.
    """
    return Fragment(
        """
        SELECT user_id, course_run_id, 'certificate' AS source, id AS source_id,
               awarded_at AS earned_at
        FROM programs_coursecertificate WHERE status = %s
        UNION ALL
        SELECT grade.user_id, grade.course_run_id, 'grade', grade.id,
               COALESCE(grade.graded_at, run.end_date)
        FROM programs_coursegrade AS grade
        JOIN programs_courserun AS run ON run.id = grade.course_run_id
        WHERE grade.passed AND grade.verified AND (grade.is_final OR run.end_date <= %s)
          AND NOT EXISTS (
              SELECT FROM programs_coursecertificate AS certificate
              WHERE certificate.user_id = grade.user_id
                AND certificate.course_run_id = grade.course_run_id
          )
        """,
        (CertificateStatus.AWARDED, at),
    )


def completion_verdicts(subjects: Fragment, *, at: datetime) -> Fragment:
    """Judge learners by versions of requirements, one row for each named check.

    `subjects` gives (user_id, program_id, version_id); a null version stands for a
    program whose requirements are unknown. Columns: the three, then

    - `position`, the order in which to tell the checks;
    - `code`: `requirements_defined`, `requirements_satisfiable`, `core_course:<course key>`,
      `elective_set:<group id>`;
    - `passed`. A subject is complete when all its checks passed: a version without courses
      fails `requirements_defined`. `requirements_satisfiable` fails when the included runs
      leave too few courses, which says something about the program, not about the learner;
    - `met_at`, the earliest instant at which the check was met; null where no date is known;
    - `evidence`, a JSON list of the runs that met it: course, run, source, id, earned_at.
    """
    passed = passed_runs(at=at)
    return Fragment(
        f"""
        WITH subject AS MATERIALIZED (
            SELECT DISTINCT user_id, program_id, version_id FROM ({subjects.sql}) AS given
        ),
        requirement AS MATERIALIZED (
            SELECT member.version_id, member.group_id, member.course_id, course.key AS course_key,
                   groups.kind, groups.position AS group_position, member.position,
                   CASE groups.kind WHEN %s THEN 1 ELSE groups.required_number END AS needed,
                   CASE groups.kind
                       WHEN %s THEN %s || ':' || course.key
                       ELSE %s || ':' || groups.id
                   END AS code
            FROM programs_requirementcourse AS member
            JOIN programs_requirementgroup AS groups ON groups.id = member.group_id
            JOIN programs_course AS course ON course.id = member.course_id
            WHERE member.version_id IN (SELECT version_id FROM subject)
        ),
        included AS MATERIALIZED (
            SELECT include.program_id, run.id AS course_run_id, run.course_id, run.key
            FROM programs_programcourserun AS include
            JOIN programs_courserun AS run ON run.id = include.course_run_id
            WHERE include.program_id IN (SELECT program_id FROM subject)
        ),
        met AS (
            SELECT subject.user_id, subject.program_id, subject.version_id, included.course_id,
                   MIN(passed.earned_at) AS earned_at,
                   (array_agg(
                       jsonb_build_object(
                           'run', included.key, 'source', passed.source,
                           'id', passed.source_id, 'earned_at', passed.earned_at
                       ) ORDER BY passed.earned_at NULLS LAST, passed.course_run_id
                   ))[1] AS evidence
            FROM subject
            JOIN included ON included.program_id = subject.program_id
            JOIN ({passed.sql}) AS passed
              ON passed.user_id = subject.user_id
             AND passed.course_run_id = included.course_run_id
            GROUP BY 1, 2, 3, 4
        )
        SELECT subject.user_id, subject.program_id, subject.version_id, 0 AS position,
               %s AS code,
               EXISTS (SELECT FROM requirement WHERE version_id = subject.version_id) AS passed,
               NULL::timestamptz AS met_at, '[]'::jsonb AS evidence
        FROM subject
        UNION ALL
        SELECT subject.user_id, subject.program_id, subject.version_id, 1, %s,
               structure.satisfiable, NULL, '[]'
        FROM subject
        JOIN (
            SELECT program_id, version_id, bool_and(offered >= needed) AS satisfiable
            FROM (
                SELECT pair.program_id, requirement.version_id, requirement.code,
                       requirement.needed,
                       COUNT(*) FILTER (WHERE EXISTS (
                           SELECT FROM included WHERE included.program_id = pair.program_id
                              AND included.course_id = requirement.course_id
                       )) AS offered
                FROM (SELECT DISTINCT program_id, version_id FROM subject) AS pair
                JOIN requirement USING (version_id)
                GROUP BY 1, 2, 3, 4
            ) AS check_of_structure
            GROUP BY 1, 2
        ) AS structure USING (program_id, version_id)
        UNION ALL
        SELECT subject.user_id, subject.program_id, subject.version_id,
               2 + MIN(requirement.group_position * 1000 + requirement.position),
               requirement.code, COUNT(met.course_id) >= requirement.needed,
               (array_agg(met.earned_at ORDER BY met.earned_at NULLS LAST)
                   FILTER (WHERE met.course_id IS NOT NULL))[requirement.needed],
               COALESCE(jsonb_agg(
                   jsonb_build_object('course', requirement.course_key) || met.evidence
                   ORDER BY met.earned_at NULLS LAST, met.course_id
               ) FILTER (WHERE met.course_id IS NOT NULL), '[]')
        FROM subject
        JOIN requirement USING (version_id)
        LEFT JOIN met
          ON met.user_id = subject.user_id AND met.program_id = subject.program_id
         AND met.version_id = subject.version_id AND met.course_id = requirement.course_id
        GROUP BY 1, 2, 3, requirement.code, requirement.needed
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (
            *subjects.params,
            *(GroupKind.CORE, GroupKind.CORE, CORE_COURSE, ELECTIVE_SET),
            *passed.params,
            *(REQUIREMENTS_DEFINED, REQUIREMENTS_SATISFIABLE),
        ),
    )


def program_learners(program_ids: Fragment) -> Fragment:
    """Whoever may have something to show in these programs: user_id, program_id, distinct.

    Enrolled in the program, or with any grade or certificate in a run that it includes, or
    with any certificate of the program.
    """
    return Fragment(
        f"""
        WITH scope (program_id) AS MATERIALIZED ({program_ids.sql}),
        included AS MATERIALIZED (
            SELECT program_id, course_run_id FROM programs_programcourserun
            WHERE program_id IN (SELECT program_id FROM scope)
        )
        SELECT user_id, program_id FROM programs_programenrollment
        WHERE is_active AND program_id IN (SELECT program_id FROM scope)
        UNION
        SELECT grade.user_id, included.program_id
        FROM programs_coursegrade AS grade JOIN included USING (course_run_id)
        UNION
        SELECT certificate.user_id, included.program_id
        FROM programs_coursecertificate AS certificate JOIN included USING (course_run_id)
        UNION
        SELECT user_id, program_id FROM programs_programcertificate
        WHERE program_id IN (SELECT program_id FROM scope)
        """,  # noqa: S608 - composed of constants; every value is a parameter
        program_ids.params,
    )


def requirement_versions(*, at: datetime) -> Fragment:
    """All versions of all requirements: program_id, version_id, is_empty, is_in_force.

    In force is a program's last version of those that took effect until `at`.
    """
    return Fragment(
        """
        SELECT version.program_id, version.id AS version_id,
               NOT EXISTS (
                   SELECT FROM programs_requirementcourse WHERE version_id = version.id
               ) AS is_empty,
               version.effective_from <= %s AND version.number = MAX(version.number)
                   FILTER (WHERE version.effective_from <= %s)
                   OVER (PARTITION BY version.program_id) AS is_in_force
        FROM programs_programrequirementsversion AS version
        """,
        (at, at),
    )


def revoked_program_certificates() -> Fragment:
    """Who lost a program's certificate, whoever revoked it: user_id, program_id."""
    return Fragment(
        "SELECT user_id, program_id FROM programs_programcertificate WHERE status = %s",
        (CertificateStatus.REVOKED,),
    )


def first_completion_dates() -> Fragment:
    """The earliest end of a run that a version asks for: program_id, version_id, ends_at.

    Nobody can have completed the program earlier, except with evidence to show for it.
    A run without an end counts from its start; one without any date not at all.
    """
    return Fragment(
        """
        SELECT include.program_id, member.version_id,
               MIN(COALESCE(run.end_date, run.start_date)) AS ends_at
        FROM programs_requirementcourse AS member
        JOIN programs_courserun AS run ON run.course_id = member.course_id
        JOIN programs_programcourserun AS include ON include.course_run_id = run.id
        GROUP BY 1, 2
        """
    )
