"""How a letter is judged, in one SELECT, for one learner or for all."""

from datetime import datetime

from credentials_portal.accounts.models import User
from credentials_portal.core.sql import Fragment
from letters.enums import (
    EXPLANATORY_CHECKS,
    LEARNER_IDENTITY,
    PROGRAM_CERTIFICATE_ACTIVE,
    REQUIREMENTS_DEFINED,
    Against,
    LetterState,
    PlannedAction,
    Verdict,
)
from letters.models import LetterWaiver
from programs import selectors as programs

OWN_CHECKS = (LEARNER_IDENTITY, PROGRAM_CERTIFICATE_ACTIVE, *EXPLANATORY_CHECKS)


def judgements(
    subjects: Fragment,
    *,
    at: datetime,
    against: Against = Against.ISSUE,
    with_evidence: bool = True,
) -> Fragment:
    """Judge learners, with or without a letter: one row for each of them.

    `subjects` gives user_id and program_id (together distinct), version_id (the requirements at
    issue, or null), issued_at and state (null where there is no letter). Each is judged by the
    version at issue; where that is unknown or empty, by the one in force at `at`, and an empty
    one fails `requirements_defined` as well. `Against.CURRENT` judges all by the one in force.

    Columns: user_id, program_id, state; `deciding_version_id`; `verdict`; `failed_checks`, in the order
    to tell them; `planned_action` for the letter in its state; `completed_at`, when the last
    requirement was met; `evidence`, a JSON object of the runs that met each check, or that there
    are for a waived one; `checks`, a
    JSON list of all checks with their status (pass, fail, waived, unknown). Both are without
    evidence, and the statement is faster, if not `with_evidence`.

    The verdict is indeterminate where the included runs leave the requirements impossible to
    meet: that says something about the program. `program_started` and
    `evidence_not_after_issue` explain a false letter and decide nothing; they say nothing of a
    letter that rests on a result without a known date.
    """
    versions = programs.requirement_versions(at=at)
    verdicts = programs.completion_verdicts(
        Fragment("SELECT user_id, program_id, deciding_version_id AS version_id FROM judged"),
        at=at,
        with_evidence=with_evidence,
    )
    first_dates = programs.first_completion_dates()
    identified = Fragment.of(User.objects.identifiable().values("id"))
    revoked = programs.revoked_program_certificates()
    waivers = Fragment.of(LetterWaiver.objects.in_force(at).values("user_id", "program_id", "code"))
    own_version = "subject.version_id" if against == Against.ISSUE else "NULL::bigint"
    return Fragment(
        f"""
        WITH subject AS MATERIALIZED ({subjects.sql}),
        version AS MATERIALIZED ({versions.sql}),
        judged AS MATERIALIZED (
            SELECT subject.user_id, subject.program_id, subject.issued_at, subject.state,
                   COALESCE(own.is_empty, FALSE) AS own_is_empty,
                   CASE WHEN own.is_empty = FALSE THEN own.version_id ELSE current.version_id END
                       AS deciding_version_id
            FROM subject
            LEFT JOIN version AS own ON own.version_id = {own_version}
            LEFT JOIN version AS current
              ON current.program_id = subject.program_id AND current.is_in_force
        ),
        waived AS MATERIALIZED (
            SELECT user_id, program_id, array_agg(code::text) AS codes FROM ({waivers.sql}) AS w
            WHERE (user_id, program_id) IN (SELECT user_id, program_id FROM subject)
            GROUP BY 1, 2
        ),
        completion AS MATERIALIZED (
            SELECT verdict.user_id, verdict.program_id,
                   COALESCE(bool_and(passed) FILTER (WHERE code = %s), FALSE) AS is_defined,
                   COALESCE(bool_and(NOT fails) FILTER (WHERE code = %s), TRUE) AS is_satisfiable,
                   bool_or(passed AND position > 1 AND met_at IS NULL) AS has_undated,
                   array_agg(code) FILTER (WHERE fails) AS missing,
                   array_agg(position) FILTER (WHERE fails) AS missing_positions,
                   max(met_at) FILTER (WHERE passed) AS last_met_at,
                   min(met_at) FILTER (WHERE passed) AS first_met_at,
                   jsonb_object_agg(code, evidence) FILTER (
                       WHERE (passed AND evidence <> '[]') OR code = ANY (waived.codes)
                   ) AS evidence,
                   jsonb_agg(
                       jsonb_build_object(
                           'code', code, 'evidence', evidence,
                           'status', CASE
                               WHEN passed THEN 'pass'
                               WHEN code = ANY (waived.codes) THEN 'waived'
                               WHEN code = %s THEN 'unknown'
                               ELSE 'fail'
                           END
                       ) ORDER BY position, code
                   ) AS checks
            FROM ({verdicts.sql}) AS verdict
            LEFT JOIN waived USING (user_id, program_id)
            CROSS JOIN LATERAL (
                SELECT NOT passed AND code <> ALL (COALESCE(waived.codes, '{{}}')) AS fails
            ) AS judgement
            GROUP BY 1, 2
        ),
        told AS MATERIALIZED (
            SELECT judged.user_id, judged.program_id, judged.state, judged.deciding_version_id,
                   judged.own_is_empty, is_defined, is_satisfiable, evidence, checks,
                   missing, missing_positions,
                   last_met_at AS completed_at, COALESCE(waived.codes, '{{}}') AS waived_codes,
                   identified.id IS NOT NULL AS has_identity,
                   revoked.user_id IS NULL AS has_certificate,
                   COALESCE(judged.issued_at >= first_date.ends_at, TRUE)
                       OR COALESCE(first_met_at <= judged.issued_at, FALSE)
                       OR has_undated AS had_started,
                   COALESCE(last_met_at <= judged.issued_at, TRUE) AS is_dated_right
            FROM judged
            JOIN completion USING (user_id, program_id)
            LEFT JOIN waived USING (user_id, program_id)
            LEFT JOIN ({identified.sql}) AS identified ON identified.id = judged.user_id
            LEFT JOIN ({revoked.sql}) AS revoked USING (user_id, program_id)
            LEFT JOIN ({first_dates.sql}) AS first_date
              ON first_date.program_id = judged.program_id
             AND first_date.version_id = judged.deciding_version_id
        ),
        verdict AS (
            SELECT told.*, own_failed, CASE
                WHEN NOT is_defined OR own_failed && ARRAY[%s, %s] THEN %s
                WHEN missing IS NULL THEN %s
                WHEN NOT is_satisfiable THEN %s
                ELSE %s
            END AS verdict, own_failed && ARRAY[%s, %s] AS is_dated_wrong
            FROM told
            -- OFFSET 0: evaluated once for each row, not wherever it is named.
            CROSS JOIN LATERAL (
                SELECT ARRAY(
                    SELECT code FROM (VALUES
                        (%s, is_defined AND own_is_empty), (%s, NOT has_identity),
                        (%s, NOT has_certificate), (%s, NOT had_started), (%s, NOT is_dated_right)
                    ) AS own (code, fails)
                    WHERE fails AND code <> ALL (waived_codes)
                ) AS own_failed
                OFFSET 0
            ) AS own
        )
        SELECT user_id, program_id, state, deciding_version_id, verdict,
               own_failed || CASE WHEN missing IS NULL THEN '{{}}' ELSE ARRAY(
                   SELECT code FROM unnest(missing, missing_positions) AS failing (code, position)
                   ORDER BY position, code
               ) END AS failed_checks, completed_at,
               COALESCE(evidence, '{{}}') AS evidence,
               CASE WHEN is_defined AND own_is_empty
                   THEN jsonb_set(checks, '{{0,status}}', '"fail"') ELSE checks
               END || (
                   SELECT jsonb_agg(jsonb_build_object('code', code, 'evidence', '[]'::jsonb,
                       'status', CASE
                           WHEN code = ANY (own_failed) THEN 'fail'
                           WHEN code = ANY (waived_codes) THEN 'waived'
                           ELSE 'pass'
                       END) ORDER BY place)
                   FROM unnest(ARRAY[%s, %s, %s, %s]) WITH ORDINALITY AS own (code, place)
               ) AS checks,
               CASE
                   WHEN verdict = %s AND state = %s THEN %s
                   WHEN verdict = %s AND state IN (%s, %s) AND is_dated_wrong THEN %s
                   WHEN verdict = %s AND state = %s THEN %s
                   ELSE %s
               END AS planned_action
        FROM verdict
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (
            *subjects.params,
            *versions.params,
            *waivers.params,
            *(programs.REQUIREMENTS_DEFINED, programs.REQUIREMENTS_SATISFIABLE),
            programs.REQUIREMENTS_SATISFIABLE,
            *verdicts.params,
            *identified.params,
            *revoked.params,
            *first_dates.params,
            *(LEARNER_IDENTITY, PROGRAM_CERTIFICATE_ACTIVE, Verdict.INVALID),
            *(Verdict.VALID, Verdict.INDETERMINATE, Verdict.INVALID),
            *EXPLANATORY_CHECKS,
            *(REQUIREMENTS_DEFINED, *OWN_CHECKS),
            *OWN_CHECKS,
            *(Verdict.INVALID, LetterState.ACTIVE, PlannedAction.SUSPEND),
            *(Verdict.VALID, LetterState.ACTIVE, LetterState.SUSPENDED, PlannedAction.REISSUE),
            *(Verdict.VALID, LetterState.SUSPENDED, PlannedAction.LIFT),
            PlannedAction.NONE,
        ),
    )
