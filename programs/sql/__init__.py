"""The rule of completion, in SQL. `programs.selectors` publishes it.

Source: MITx MicroMasters' core and elective sets, with three repairs: an empty requirement set
is never complete, only included runs count, and a revoked certificate voids its run's grade.
"""

from datetime import datetime

from credentials_portal.core.sql import Fragment
from programs.enums import CertificateStatus, GroupKind, RevocationKind

REQUIREMENTS_DEFINED = "requirements_defined"
REQUIREMENTS_SATISFIABLE = "requirements_satisfiable"
CORE_COURSE = "core_course"
ELECTIVE_SET = "elective_set"


def completion_verdicts(
    subjects: Fragment, *, at: datetime, with_evidence: bool = True
) -> Fragment:
    """Judge learners by versions of requirements, one row for each named check.

    `subjects` gives distinct (user_id, program_id, version_id); a null version stands for a
    program whose requirements are unknown. Columns: the three, then

    - `position`, the order in which to tell the checks;
    - `code`: `requirements_defined`, `requirements_satisfiable`, `core_course:<course key>`,
      `elective_set:<number of the set>`;
    - `passed`. A subject is complete when all its checks passed: a version without courses
      fails `requirements_defined`. `requirements_satisfiable` fails when the included runs
      leave too few courses, which says something about the program, not about the learner;
    - `met_at`, the earliest instant at which the check was met; null where no date is known;
    - `evidence`, a JSON list of the runs that met it: course, run, source, id, earned_at;
      empty if not `with_evidence`, which costs half.

    A course is met by a run that the program includes: by an awarded certificate, or, where
    there is no certificate at all, by a final and verified grade that passes. A grade is final
    when its source says so or its run has ended at `at`. It was earned at the certificate's or
    the grade's date, else at the run's end; while the run goes on, no date is known.
    """
    # The planner cannot know how large computed relations are. Those as large as the subjects are
    # grouped, never joined to each other (it once chose a nested loop of a minute), and results
    # are read before they meet the runs: else each run of a program looks through all of them.
    evidence, evidence_of_course, evidence_of_set = "NULL", "'[]'::jsonb", "'[]'::jsonb"
    if with_evidence:
        evidence = """
            (array_agg(
                jsonb_build_object('course', course_key, 'run', run_key, 'source', source,
                    'id', source_id, 'earned_at', earned_at)
                ORDER BY earned_at NULLS LAST, run_key
            ) FILTER (WHERE is_met))[1]
        """
        evidence_of_course = "CASE WHEN is_met THEN jsonb_build_array(evidence) ELSE '[]' END"
        evidence_of_set = """
            COALESCE(jsonb_agg(evidence ORDER BY earned_at NULLS LAST, course_id)
                FILTER (WHERE is_met), '[]')
        """
    return Fragment(
        f"""
        WITH subject AS MATERIALIZED ({subjects.sql}),
        requirement AS MATERIALIZED (
            SELECT member.version_id, member.course_id, course.key AS course_key,
                   groups.position * 1000 + member.position AS place,
                   groups.number AS set_number,
                   CASE groups.kind WHEN %s THEN 1 ELSE groups.required_number END AS needed,
                   CASE groups.kind
                       WHEN %s THEN %s || ':' || course.key
                       ELSE %s || ':' || groups.number
                   END COLLATE "C" AS code
            FROM programs_requirementcourse AS member
            JOIN programs_requirementgroup AS groups ON groups.id = member.group_id
            JOIN programs_course AS course ON course.id = member.course_id
            WHERE member.version_id IN (SELECT version_id FROM subject)
        ),
        asked AS MATERIALIZED (
            SELECT pair.program_id, requirement.*
            FROM (SELECT DISTINCT program_id, version_id FROM subject) AS pair
            JOIN requirement USING (version_id)
        ),
        offered AS MATERIALIZED (
            SELECT asked.*, run.id AS course_run_id, run.key AS run_key,
                   CASE WHEN run.end_date <= %s THEN run.end_date END AS ended_at
            FROM asked
            JOIN programs_programcourserun AS include USING (program_id)
            JOIN programs_courserun AS run
              ON run.id = include.course_run_id AND run.course_id = asked.course_id
        ),
        result AS MATERIALIZED (
            SELECT subject.*, certificate.course_run_id, 'certificate' AS source,
                   certificate.id AS source_id, TRUE AS is_final, certificate.awarded_at AS dated
            FROM subject
            JOIN programs_coursecertificate AS certificate
              ON certificate.user_id = subject.user_id AND certificate.status = %s
            UNION ALL
            SELECT subject.*, grade.course_run_id, 'grade', grade.id, grade.is_final, grade.graded_at
            FROM subject
            JOIN programs_coursegrade AS grade
              ON grade.user_id = subject.user_id AND grade.passed AND grade.verified
            WHERE NOT EXISTS (
                SELECT FROM programs_coursecertificate AS certificate
                WHERE certificate.user_id = grade.user_id
                  AND certificate.course_run_id = grade.course_run_id
            )
        ),
        course AS MATERIALIZED (
            SELECT user_id, program_id, version_id, course_id, MIN(place) AS place,
                   MIN(set_number) AS set_number, MIN(needed) AS needed, MIN(code) AS code,
                   bool_or(is_met) AS is_met, MIN(earned_at) AS earned_at, {evidence} AS evidence
            FROM (
                SELECT subject.user_id, asked.*,
                       FALSE AS is_met, NULL::timestamptz AS earned_at,
                       NULL AS run_key, NULL AS source, NULL::bigint AS source_id
                FROM subject JOIN asked USING (program_id, version_id)
                UNION ALL
                SELECT result.user_id, program_id, version_id, offered.course_id,
                       offered.course_key, offered.place, offered.set_number, offered.needed,
                       offered.code, TRUE, COALESCE(result.dated, offered.ended_at),
                       offered.run_key, result.source, result.source_id
                FROM result JOIN offered USING (program_id, version_id, course_run_id)
                WHERE result.is_final OR offered.ended_at IS NOT NULL
            ) AS required_or_met
            GROUP BY 1, 2, 3, 4
        )
        SELECT user_id, program_id, version_id, 0 AS position, %s AS code,
               version_id IN (SELECT version_id FROM requirement) IS TRUE AS passed,
               NULL::timestamptz AS met_at, '[]'::jsonb AS evidence
        FROM subject
        UNION ALL
        SELECT user_id, program_id, version_id, 1, %s, satisfiable, NULL, '[]'
        FROM subject
        JOIN (
            SELECT program_id, version_id, bool_and(courses >= needed) AS satisfiable
            FROM (
                SELECT program_id, version_id, code, needed,
                       COUNT(*) FILTER (WHERE (program_id, course_id) IN (
                           SELECT program_id, course_id FROM offered
                       )) AS courses
                FROM asked
                GROUP BY 1, 2, 3, 4
            ) AS offer
            GROUP BY 1, 2
        ) AS offers USING (program_id, version_id)
        UNION ALL
        SELECT user_id, program_id, version_id, 2 + place, code, is_met, earned_at,
               {evidence_of_course}
        FROM course WHERE set_number IS NULL
        UNION ALL
        SELECT user_id, program_id, version_id, 2 + MIN(place), MIN(code),
               COUNT(*) FILTER (WHERE is_met) >= MIN(needed),
               (array_agg(earned_at ORDER BY earned_at NULLS LAST)
                   FILTER (WHERE is_met))[MIN(needed)],
               {evidence_of_set}
        FROM course WHERE set_number IS NOT NULL
        GROUP BY user_id, program_id, version_id, set_number
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (
            *subjects.params,
            *(GroupKind.CORE, GroupKind.CORE, CORE_COURSE, ELECTIVE_SET),
            *(at, CertificateStatus.AWARDED),
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
    """Who lost a program's certificate by anybody's decision: user_id, program_id.

    Those that the portal took back, because the requirements of today are not met, are left out:
    completion says that itself, by the requirements that count in each case.
    """
    return Fragment(
        """
        SELECT user_id, program_id FROM programs_programcertificate
        WHERE revocation_kind = %s
        """,
        (RevocationKind.DECIDED,),
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


def enrollment_facts(enrollments: Fragment) -> Fragment:
    """What is known of enrollments in runs, one row each.

    `enrollments` gives distinct (enrollment_id). Columns: `enrollment_id`, `user_id`,
    `course_run_id`, `run_key`, `course_uuid`, `run_start` (null: no date is set), `mode`, `is_active`,
    `enrolled_at` and `certificate_status`, in the LMS' words: a certificate that was awarded
    here counts as `downloadable`, whatever the LMS said of it.
    """
    return Fragment(
        f"""
        SELECT enrollment.id AS enrollment_id, enrollment.user_id, enrollment.course_run_id,
               run.key AS run_key, course.uuid AS course_uuid, run.start_date AS run_start,
               enrollment.mode, enrollment.is_active, enrollment.created AS enrolled_at,
               CASE WHEN certificate.id IS NULL
                   THEN enrollment.certificate_status ELSE 'downloadable'
               END AS certificate_status
        FROM ({enrollments.sql}) AS asked (enrollment_id)
        JOIN programs_courseenrollment AS enrollment ON enrollment.id = asked.enrollment_id
        JOIN programs_courserun AS run ON run.id = enrollment.course_run_id
        JOIN programs_course AS course ON course.id = run.course_id
        LEFT JOIN programs_coursecertificate AS certificate
          ON certificate.user_id = enrollment.user_id
         AND certificate.course_run_id = enrollment.course_run_id
         AND certificate.status = %s
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (*enrollments.params, CertificateStatus.AWARDED),
    )
