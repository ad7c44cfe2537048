"""Waiving a check, and the end of a waiver."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from credentials_portal.accounts.models import User
from letters import services
from letters.models import LetterRevalidation, LetterWaiver, ProgramLetter
from programs.models import CourseRun
from tests.letters.admin.desk import page_of, post, seen, staff, text, url
from tests.letters.factories import applied, by_at, planned
from tests.programs.factories import AT, RUN_ENDS

pytestmark = pytest.mark.django_db


def waive(client: Client, letter: ProgramLetter, code: str, **fields: Any) -> str:
    given = {"code": code, "reason": "Seen on paper.", "seen": seen(letter), **fields}
    return post(client, url("programletter_waive", letter.pk), **given)


def test_waives_a_check_that_fails(false_letter: ProgramLetter, run: CourseRun) -> None:
    code = f"core_course:{run.course.key}"
    client = staff("waive_letter_check")
    offered = client.get(url("programletter_waive", false_letter.pk)).context["codes"]

    page = waive(client, false_letter, code)

    waiver = LetterWaiver.objects.get()
    assert code in offered
    assert (waiver.user, waiver.program, waiver.code, waiver.reason, waiver.expires_at) == (
        false_letter.user,
        false_letter.program,
        code,
        "Seen on paper.",
        None,
    )
    assert "queued to be looked at again" in page
    assert LetterRevalidation.objects.get().user == false_letter.user


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "requirements_defined"},
        {"code": "learner_identity"},
        {"code": "core_course:unknown"},
        {"reason": " "},
        {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
        {"expires_at_0": "soon"},
    ],
)
def test_refuses_a_waiver_that_cannot_be(
    false_letter: ProgramLetter, run: CourseRun, fields: dict[str, str]
) -> None:
    given = {"code": f"core_course:{run.course.key}", **fields}

    page = waive(staff("waive_letter_check"), false_letter, **given)

    assert "errors" in page
    assert not LetterWaiver.objects.exists()
    assert not LetterRevalidation.objects.exists()


def test_refuses_a_waiver_for_a_letter_that_changed(
    false_letter: ProgramLetter, run: CourseRun
) -> None:
    applied(planned())

    page = waive(staff("waive_letter_check"), false_letter, f"core_course:{run.course.key}")

    assert "The letter changed while you were deciding." in page
    assert not LetterWaiver.objects.exists()


def test_an_expired_waiver_makes_room(false_letter: ProgramLetter, run: CourseRun) -> None:
    code = f"core_course:{run.course.key}"
    services.waive_check(
        user=false_letter.user,
        program_id=false_letter.program_id,
        code=code,
        by=by_at(AT, reason="For a day."),
        expires_at=AT + timedelta(days=1),
    )

    waive(staff("waive_letter_check"), false_letter, code)

    expired, waiver = LetterWaiver.objects.order_by("pk")
    assert expired.withdrawn_at == expired.expires_at
    assert (waiver.reason, waiver.withdrawn_at) == ("Seen on paper.", None)


def test_withdraws_a_waiver_once(false_letter: ProgramLetter, run: CourseRun) -> None:
    client = staff("waive_letter_check")
    waive(client, false_letter, f"core_course:{run.course.key}")
    waiver = LetterWaiver.objects.get()
    LetterRevalidation.objects.all().delete()
    address = url("letterwaiver_withdraw", waiver.pk)

    assert address in text(client.get(page_of(false_letter)))
    first, second = post(client, address), post(client, address)

    waiver.refresh_from_db()
    assert "The waiver is withdrawn" in first
    assert "The waiver was withdrawn already." in second
    assert waiver.withdrawn_by == User.objects.get(pk=client.session["_auth_user_id"])
    assert LetterRevalidation.objects.get().user == false_letter.user


def test_lists_waivers_in_force(false_letter: ProgramLetter) -> None:
    for code, expires_at in (("program_started", None), ("evidence_not_after_issue", AT)):
        LetterWaiver.objects.create(
            user=false_letter.user,
            program=false_letter.program,
            code=code,
            reason="x",
            granted_at=RUN_ENDS,
            expires_at=expires_at,
        )

    found = {
        choice: [
            waiver.code
            for waiver in staff()
            .get(url("letterwaiver_changelist"), {"in_force": choice, "q": "ada"})
            .context["cl"]
            .result_list
        ]
        for choice in ("yes", "no")
    }

    assert found == {"yes": ["program_started"], "no": ["evidence_not_after_issue"]}
