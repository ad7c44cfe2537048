"""Staff look at letters, and decide about them with a reason; nobody edits them by hand."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from letters import services
from letters.enums import RunKind, TemplateStatus
from letters.models import (
    LetterRevalidation,
    LetterSignatory,
    LetterValidationRun,
    LetterWaiver,
    ProgramLetter,
    ProgramLetterConfiguration,
    ProgramLetterTemplate,
)
from programs.models import CourseRun, Program
from tests.letters.conftest import Statements
from tests.letters.factories import (
    applied,
    by_at,
    grade,
    graduates,
    imported,
    issue,
    one_course_program,
    planned,
    revalidate,
    rows,
    states,
    story,
)
from tests.programs.factories import AT, RUN_ENDS, LearnerFactory

pytestmark = pytest.mark.django_db

numbers = count()


@pytest.fixture
def course() -> tuple[Program, CourseRun]:
    return one_course_program(title="Data Science")


@pytest.fixture
def program(course: tuple[Program, CourseRun]) -> Program:
    return course[0]


@pytest.fixture
def run(course: tuple[Program, CourseRun]) -> CourseRun:
    return course[1]


@pytest.fixture
def true_letter(program: Program, run: CourseRun) -> ProgramLetter:
    return issue(program, *graduates(run))[0]


@pytest.fixture
def false_letter(program: Program) -> ProgramLetter:
    """Its holder passed nothing."""
    return imported(program, LearnerFactory.create(username="ada", full_name="Ada"))[0]


def staff(*permissions: str, **fields: Any) -> Client:
    """Somebody who may look at everything of this app, and has these permissions as well."""
    person = User.objects.create(username=f"staff{next(numbers)}", is_staff=True, **fields)
    looking = Permission.objects.filter(
        content_type__app_label="letters", codename__startswith="view_"
    )
    named = Permission.objects.filter(codename__in=permissions)
    assert len(named) == len(permissions)
    person.user_permissions.set(looking | named)
    return signed_in(person)


def signed_in(person: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    return client


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:letters_{name}", args=args)


def page_of(letter: ProgramLetter) -> str:
    return url("programletter_change", letter.pk)


def ask(decision: str, *letters: ProgramLetter) -> str:
    query = "&".join(f"letter={letter.pk}" for letter in letters)
    return f"{url(f'programletter_{decision}')}?{query}"


def seen(*letters: ProgramLetter) -> list[str]:
    return [f"{letter.pk}.{letter.version}" for letter in letters]


def post(client: Client, address: str, **fields: Any) -> str:
    """What the reader sees in the end."""
    response = client.post(address, fields, follow=True)
    assert response.status_code == 200
    return text(response)


def text(response: Any) -> str:
    return str(response.content.decode())


def uuids(response: Any) -> list[str]:
    return [str(letter) for letter in response.context["cl"].result_list]


# Who may


def everything_to_look_at(letter: ProgramLetter) -> list[str]:
    waiver = services.waive_check(
        user=letter.user, program_id=letter.program_id, code="program_started", by=by_at(AT)
    )
    template = ProgramLetterTemplate.objects.create(program=letter.program, revision=1)
    configuration = ProgramLetterConfiguration.objects.first()
    return [
        page_of(letter),
        url("letterwaiver_change", waiver.pk),
        url("lettervalidationrun_change", planned().pk),
        url("letterrevalidation_change", LetterRevalidation.objects.get().pk),
        url("programlettertemplate_change", template.pk),
        *([url("programletterconfiguration_change", configuration.pk)] if configuration else []),
        *(
            url(f"{model}_changelist")
            for model in (
                *("programletter", "letterwaiver", "lettervalidationrun", "letterrevalidation"),
                *("programlettertemplate", "programletterconfiguration"),
            )
        ),
    ]


def decisions(letter: ProgramLetter) -> list[tuple[str, str]]:
    """Each page on which something is decided, and the permission that it takes."""
    waiver = services.waive_check(
        user=letter.user, program_id=letter.program_id, code="program_started", by=by_at(AT)
    )
    return [
        (ask("revoke", letter), "revoke_letter"),
        (ask("reinstate", letter), "reinstate_letter"),
        (url("programletter_waive", letter.pk), "waive_letter_check"),
        (url("letterwaiver_withdraw", waiver.pk), "waive_letter_check"),
        (url("lettervalidationrun_release", held_run().pk), "release_letters"),
    ]


def held_run() -> LetterValidationRun:
    """The first letters of a program, which wait for staff."""
    program, run = one_course_program()
    held_by = services.new_run(RunKind.ISSUE, by=by_at(AT))
    users = [user.pk for user in graduates(run, 2)]
    services.issue_letters(program_id=program.pk, user_ids=users, run=held_by, by=by_at(AT))
    return held_by


def test_who_may_look(true_letter: ProgramLetter) -> None:
    learner = signed_in(true_letter.user)
    stranger = Client(headers={"host": "localhost"})
    colleague = signed_in(User.objects.create(username="colleague", is_staff=True))

    for address in everything_to_look_at(true_letter):
        found = [who.get(address).status_code for who in (stranger, learner, colleague, staff())]
        assert found == [302, 302, 403, 200], address


def test_who_may_decide(true_letter: ProgramLetter) -> None:
    learner = signed_in(true_letter.user)
    stranger = Client(headers={"host": "localhost"})
    looking = staff()

    for address, permission in decisions(true_letter):
        deaf = User.objects.create(username=f"deaf{permission}{next(numbers)}", is_staff=True)
        deaf.user_permissions.set(Permission.objects.filter(codename=permission))
        before = rows("letters_programletter", "letters_letterwaiver", "letters_letterevent")

        for act in ("get", "post"):
            found = [
                getattr(who, act)(address, {"reason": "x"}).status_code
                for who in (stranger, learner, looking, signed_in(deaf))
            ]
            assert found == [302, 302, 403, 403], (act, address)

        assert rows(*before) == before
        assert staff(permission).get(address).status_code in {200, 302}


def test_nobody_adds_edits_or_deletes_by_hand(
    admin_client: Client, true_letter: ProgramLetter
) -> None:
    addresses = everything_to_look_at(true_letter)[:4]
    before = rows()

    for address in addresses:
        for act in (address, address.replace("/change/", "/delete/")):
            assert admin_client.post(act, {"post": "yes", "state": "active"}).status_code == 403
    for model in ("programletter", "letterwaiver", "lettervalidationrun", "letterrevalidation"):
        assert admin_client.get(url(f"{model}_add")).status_code == 403
        assert admin_client.post(url(f"{model}_add"), {"state": "active"}).status_code == 403

    assert rows(*set(before) - {"django_session"}) == {
        table: digest for table, digest in before.items() if table != "django_session"
    }


def test_looking_changes_nothing(admin_client: Client, false_letter: ProgramLetter) -> None:
    addresses = everything_to_look_at(false_letter)
    asked = [address for address, _permission in decisions(false_letter)]
    before = rows()

    for address in addresses + asked:
        assert admin_client.get(address).status_code in {200, 302}

    assert rows(*set(before) - {"django_session"}) == {
        table: digest for table, digest in before.items() if table != "django_session"
    }


def test_offers_only_what_one_may(true_letter: ProgramLetter) -> None:
    offered = {
        permission: text(staff(*permission).get(page_of(true_letter)))
        for permission in ((), ("revoke_letter",))
    }

    assert "Revoke…" not in offered[()]
    assert "Revoke…" in offered["revoke_letter",]
    listed = text(staff("reinstate_letter").get(url("programletter_changelist")))
    assert "Reinstate…" in listed
    assert "Revoke…" not in listed


# The list


def test_the_list_asks_the_same_for_any_number_of_letters(
    admin_client: Client, program: Program, statements: Statements
) -> None:
    counts = []
    for size in (1, 30):
        imported(program, *LearnerFactory.create_batch(size))
        admin_client.get(url("programletter_changelist"))
        with statements.counted() as asked:
            assert admin_client.get(url("programletter_changelist")).status_code == 200
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_finds_a_letter_by_whole_words_only(false_letter: ProgramLetter, program: Program) -> None:
    imported(program, LearnerFactory.create(username="bob"))
    looking = staff()

    def found(term: str) -> list[str]:
        return uuids(looking.get(url("programletter_changelist"), {"q": term}))

    for term in (str(false_letter.uuid), false_letter.uuid.hex, "ada", " Ada@Example.ORG "):
        assert found(term) == [str(false_letter)], term
    for term in (str(false_letter.uuid)[:-1], "ad", "not-a-uuid", "%", "\u00e9" * 300):
        assert found(term) == [], term


def test_somebody_without_an_address_is_not_found_by_an_empty_one(program: Program) -> None:
    imported(program, LearnerFactory.create(username="mute", email=""))

    response = staff().get(url("programletter_changelist"), {"q": " , "})

    assert uuids(response) == []


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ({"state__exact": "suspended"}, True),
        ({"state__exact": "active"}, False),
        ({"reason": "core_course"}, True),
        ({"reason": "elective_set"}, False),
        ({"issued_via__exact": "import"}, True),
        ({"issued_at_from": "2024-05-15", "issued_at_to": "2024-05-15"}, True),
        ({"issued_at_from": "2024-05-16"}, False),
        ({"issued_at_to": "2024-05-14"}, False),
        ({"issued_at_from": "yesterday", "issued_at_to": "0000-99-99"}, True),
    ],
)
def test_filters(false_letter: ProgramLetter, query: dict[str, str], is_found: bool) -> None:
    applied(planned())

    response = staff().get(url("programletter_changelist"), query)

    assert uuids(response) == ([str(false_letter)] if is_found else [])


def test_filters_by_program(false_letter: ProgramLetter) -> None:
    other = imported(one_course_program()[0], false_letter.user)[0]

    response = staff().get(
        url("programletter_changelist"), {"program__id__exact": other.program_id}
    )

    assert uuids(response) == [str(other)]


def test_a_day_is_the_readers_day(false_letter: ProgramLetter) -> None:
    """The letter is dated at midnight of UTC, which is the evening before in New York."""
    assert false_letter.issued_at == datetime(2024, 5, 15, tzinfo=UTC)
    query = {"issued_at_to": "2024-05-14"}

    in_utc, in_new_york = (
        uuids(staff(time_zone=zone).get(url("programletter_changelist"), query))
        for zone in ("", "America/New_York")
    )

    assert (in_utc, in_new_york) == ([], [str(false_letter)])


# The page of a letter


def test_says_state_reason_and_next_action_first(true_letter: ProgramLetter) -> None:
    context = staff().get(page_of(true_letter)).context

    assert (context["reason"], context["next_action"]) == ("", "Nothing: it is true.")
    assert {check.status for check in context["checks"]} == {"passes"}
    assert [entry.event.action for entry in context["timeline"]] == ["released", "held"]


def test_judges_live(false_letter: ProgramLetter, run: CourseRun) -> None:
    looking = staff()
    code = f"core_course:{run.course.key}"

    def check() -> Any:
        checks = looking.get(page_of(false_letter)).context["checks"]
        return next(check for check in checks if check.code == code)

    assert (check().status, check().evidence) == ("fails", [])
    assert check().words == f"the core course {run.course.key} is not passed"

    grade(run, false_letter.user)

    assert check().status == "passes"
    assert check().evidence[0] | {"id": None} == {
        "course": run.course.key,
        "run": run.key,
        "source": "grade",
        "id": None,
        "earned_at": RUN_ENDS,
    }


def test_says_that_it_is_queued(false_letter: ProgramLetter, run: CourseRun) -> None:
    grade(run, false_letter.user, percent="0.1")
    revalidate(AT)

    page = text(staff(time_zone="Asia/Tokyo").get(page_of(false_letter)))

    assert "It is looked at on 2 June 2025, 21:00, and suspended" in page
    assert 'datetime="2025-06-02T21:00:00+09:00"' in page


def test_says_which_run_holds_it() -> None:
    run = held_run()
    letter = run.issued_letters.order_by("pk")[0]

    response = staff().get(page_of(letter))

    assert response.context["next_action"] == f"Look at it and release run {run}, which holds it."
    assert url("lettervalidationrun_change", run.pk) in text(response)


def test_tells_what_changed(false_letter: ProgramLetter, run: CourseRun) -> None:
    applied(planned())
    grade(run, false_letter.user, graded_at=AT)
    revalidate(AT + timedelta(days=2))

    entry = staff().get(page_of(false_letter)).context["timeline"][0]

    assert entry.event.action == "reissued"
    assert [(each.name, each.old, each.new) for each in entry.differences] == [
        ("date of issue", RUN_ENDS, AT + timedelta(days=2)),
        ("evidence", None, None),
    ]


@pytest.mark.parametrize("act", ["suspended", "revoked", "retired", "imported_inactive"])
def test_says_what_leads_out_of_each_state(
    act: str, program: Program, false_letter: ProgramLetter
) -> None:
    letter = false_letter
    if act == "suspended":
        applied(planned())
    elif act == "revoked":
        services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT, reason="Misconduct."))
    elif act == "retired":
        retire_user(user=letter.user, at=AT, actor=None, reason="left")
    else:
        letter = imported(program, LearnerFactory.create(), is_active=False)[0]

    context = staff("reinstate_letter", "revoke_letter").get(page_of(letter)).context
    offered = [decision.name for decision, _address in context["decisions"]]

    assert (context["next_action"], offered) == {
        "suspended": (
            "It is lifted by itself once its checks pass or are waived.",
            ["revoke"],
        ),
        "revoked": (
            "Nothing brings it back but a person, and not before its checks pass or are waived.",
            ["reinstate"],
        ),
        "retired": ("Nothing: it stays withdrawn.", []),
        "imported_inactive": (
            f"Only a reviewed plan lifts it: validate_letters --letter {letter.uuid}",
            ["revoke"],
        ),
    }[act]


def test_shows_notes_as_text(true_letter: ProgramLetter) -> None:
    note = "<script>alert(1)</script>"
    services.revoke_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason=note))
    User.objects.filter(pk=true_letter.user_id).update(username="<b>lena</b>")
    client = staff("reinstate_letter")

    for address in (page_of(true_letter), ask("reinstate", true_letter)):
        page = text(client.get(address))
        assert note not in page
        assert "<b>lena" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text(client.get(page_of(true_letter)))


def test_the_page_asks_the_same_for_any_number_of_events(
    true_letter: ProgramLetter, statements: Statements
) -> None:
    looking, counts = staff(), []
    for times in (1, 10):
        for _ in range(times):
            by = by_at(AT, actor=User.objects.create(username=f"who{next(numbers)}"), reason="x")
            services.revoke_letter(letter_uuid=true_letter.uuid, by=by)
            services.reinstate_letter(letter_uuid=true_letter.uuid, by=by)
        looking.get(page_of(true_letter))
        with statements.counted() as asked:
            assert looking.get(page_of(true_letter)).status_code == 200
        counts.append(len(asked))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("key", ["0", "abc", "99999999999999999999"])
def test_an_unknown_letter_is_no_error(key: str) -> None:
    client = staff("revoke_letter")

    assert client.get(url("programletter_change", key)).status_code == 302
    page = text(client.get(f"{url('programletter_revoke')}?letter={key}", follow=True))
    assert "Choose letters first." in page


# Revoking and reinstating


def test_revokes_with_a_reason(true_letter: ProgramLetter) -> None:
    client = staff("revoke_letter")
    shown = text(client.get(ask("revoke", true_letter)))

    page = post(client, ask("revoke", true_letter), seen=seen(true_letter), reason="Misconduct.")

    assert f"{true_letter.recipient_name} ({true_letter.user})" in shown
    assert "Revoked: 1" in page
    event = true_letter.events.order_by("-letter_version")[0]
    assert (event.action, event.note, event.cause) == ("revoked", "Misconduct.", "admin")
    assert event.actor == User.objects.get(pk=client.session["_auth_user_id"])


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 501])
def test_needs_a_reason(true_letter: ProgramLetter, reason: str) -> None:
    before = rows("letters_programletter", "letters_letterevent", "core_outboxmessage")

    page = post(
        staff("revoke_letter"),
        ask("revoke", true_letter),
        seen=seen(true_letter),
        reason=reason,
    )

    assert "errors" in page
    assert seen(true_letter)[0] in page
    assert rows(*before) == before


def test_refuses_a_stale_form(true_letter: ProgramLetter) -> None:
    shown = seen(true_letter)
    services.revoke_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="First."))
    services.reinstate_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="Second."))
    before = rows("letters_programletter", "letters_letterevent")

    page = post(staff("revoke_letter"), ask("revoke", true_letter), seen=shown, reason="Third.")

    assert f"{true_letter}: The letter changed while you were deciding." in page
    assert rows(*before) == before


def test_a_stale_form_stays_stale_after_an_error(true_letter: ProgramLetter) -> None:
    """The page that asks for the reason again still speaks of the letter that was seen."""
    shown = seen(true_letter)
    services.revoke_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="First."))
    services.reinstate_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="Second."))

    page = post(staff("revoke_letter"), ask("revoke", true_letter), seen=shown, reason="")

    assert f'value="{shown[0]}"' in page


@pytest.mark.parametrize("given", [[], ["x"], ["1"], ["1.2.3"], ["-1.1"], ["²." + "9" * 40]])
def test_a_malformed_form_does_nothing(true_letter: ProgramLetter, given: list[str]) -> None:
    page = post(staff("revoke_letter"), url("programletter_revoke"), seen=given, reason="x")

    assert "Choose letters first." in page
    assert states(true_letter) == ["active"]


def test_reinstates_what_stands_up_to_its_checks(true_letter: ProgramLetter) -> None:
    services.revoke_letter(letter_uuid=true_letter.uuid, by=by_at(AT, reason="Misconduct."))
    true_letter.refresh_from_db()
    client = staff("reinstate_letter")

    page = post(client, ask("reinstate", true_letter), seen=seen(true_letter), reason="An error.")

    assert "Reinstated: 1" in page
    assert states(true_letter) == ["active"]
    assert story(true_letter)[-1] == ("reinstated", "active", "reinstated")


def test_shows_the_checks_that_fail_and_refuses(
    false_letter: ProgramLetter, run: CourseRun
) -> None:
    services.revoke_letter(letter_uuid=false_letter.uuid, by=by_at(AT, reason="False."))
    false_letter.refresh_from_db()
    client = staff("reinstate_letter")
    failing = f"the core course {run.course.key} is not passed"

    shown = text(client.get(ask("reinstate", false_letter)))
    page = post(client, ask("reinstate", false_letter), seen=seen(false_letter), reason="x")

    assert failing in shown
    assert 'type="submit"' not in shown.split("<form method", 1)[-1].split("</form>")[0]
    assert f"It cannot be reinstated: {failing}" in page
    assert states(false_letter) == ["revoked"]


def test_a_letter_whose_holder_left_stays_withdrawn(true_letter: ProgramLetter) -> None:
    retire_user(user=true_letter.user, at=AT, actor=None, reason="left")
    true_letter.refresh_from_db()

    page = post(
        staff("reinstate_letter"),
        ask("reinstate", true_letter),
        seen=seen(true_letter),
        reason="x",
    )

    assert "It cannot be reinstated: the learner has no name" in page
    assert states(true_letter) == ["revoked"]


def test_tells_the_outcome_of_each_chosen_letter(program: Program) -> None:
    letters = imported(program, *LearnerFactory.create_batch(3))
    untouched, stale, revoked = letters
    services.revoke_letter(letter_uuid=revoked.uuid, by=by_at(AT, reason="Before."))
    revoked.refresh_from_db()
    client = staff("revoke_letter")
    listed = client.post(
        url("programletter_changelist"),
        {"action": "revoke_chosen", "_selected_action": [letter.pk for letter in letters]},
    )
    asked = client.get(listed["Location"])
    shown = [prospect.seen for prospect in asked.context["prospects"]]
    services.revoke_letter(letter_uuid=stale.uuid, by=by_at(AT, reason="Meanwhile."))

    page = post(client, listed["Location"], seen=shown, reason="All of them.")

    assert [prospect.is_possible for prospect in asked.context["prospects"]] == [True, True, False]
    assert shown == [f"{untouched.pk}.1", f"{stale.pk}.1", f"{revoked.pk}.2"]
    assert "Revoked: 1" in page
    assert f"{stale}: The letter changed while you were deciding." in page
    assert f"{revoked}: was revoked already" in page
    assert [letter.events.count() for letter in letters] == [2, 2, 2]


def test_choosing_changes_nothing(true_letter: ProgramLetter) -> None:
    chosen = {"action": "revoke_chosen", "_selected_action": [true_letter.pk]}

    for client in (staff("revoke_letter"), staff()):
        client.post(url("programletter_changelist"), chosen | {"select_across": "1"})

    assert states(true_letter) == ["active"]


def test_asking_needs_the_same_statements_for_any_number_of_letters(
    program: Program, statements: Statements
) -> None:
    letters = imported(program, *LearnerFactory.create_batch(20))
    client, counts = staff("revoke_letter"), []
    for chosen in (letters[:1], letters):
        client.get(ask("revoke", *chosen))
        with statements.counted() as asked:
            assert client.get(ask("revoke", *chosen)).status_code == 200
        counts.append(len(asked))

    assert counts[0] == counts[1]


# Waivers


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


# Runs


def test_a_plan_says_what_it_found_and_how_it_is_applied(
    false_letter: ProgramLetter, run: CourseRun, true_letter: ProgramLetter
) -> None:
    plan = planned()
    code = f"core_course:{run.course.key}"

    response = staff().get(url("lettervalidationrun_change", plan.pk))
    failing = staff().get(url("lettervalidationrun_change", plan.pk), {"check": code})

    assert response.context["counts"] == {"total": 2, "valid": 1, "invalid": 1}
    assert f"python manage.py apply_letter_plan {plan.uuid} --dry-run" in text(response)
    assert [row.letter for row, _words in response.context["results"]] == [
        false_letter,
        true_letter,
    ]
    assert [(row.letter, words) for row, words in failing.context["results"]] == [
        (false_letter, [f"the core course {run.course.key} is not passed"])
    ]


@pytest.mark.parametrize("query", [{"page": "x"}, {"page": "999"}, {"check": "'; --"}])
def test_a_plans_results_are_paged(program: Program, query: dict[str, str]) -> None:
    imported(program, *LearnerFactory.create_batch(51))
    plan = planned()

    first = staff().get(url("lettervalidationrun_change", plan.pk))
    other = staff().get(url("lettervalidationrun_change", plan.pk), query)

    assert len(first.context["results"]) == 50
    assert other.status_code == 200


def test_a_plans_page_asks_the_same_for_any_number_of_letters(
    program: Program, statements: Statements
) -> None:
    looking, counts = staff(), []
    for size in (1, 20):
        imported(program, *LearnerFactory.create_batch(size))
        address = url("lettervalidationrun_change", planned().pk)
        looking.get(address)
        with statements.counted() as asked:
            looking.get(address)
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_releases_what_a_run_holds() -> None:
    run = held_run()
    client = staff("release_letters")
    page = text(client.get(url("lettervalidationrun_change", run.pk)))
    shown = client.get(url("lettervalidationrun_release", run.pk))

    told = post(client, url("lettervalidationrun_release", run.pk), reason="Looked at.")

    assert "2 pending letters" in page
    assert shown.context["outcomes"] == [("released by staff", 2)]
    assert "released by staff: 2" in told
    assert states(*run.issued_letters.all()) == ["active", "active"]
    run.refresh_from_db()
    assert (run.status, run.approval_reason) == ("released", "Looked at.")


def test_release_needs_a_reason() -> None:
    run = held_run()

    page = post(staff("release_letters"), url("lettervalidationrun_release", run.pk), reason=" ")

    assert "This field is required." in page
    assert states(*run.issued_letters.all()) == ["pending", "pending"]


def test_a_run_that_holds_nothing_is_not_released() -> None:
    run = held_run()
    client = staff("release_letters")
    post(client, url("lettervalidationrun_release", run.pk), reason="Looked at.")

    page = text(client.get(url("lettervalidationrun_release", run.pk), follow=True))

    assert "This run holds nothing." in page
    assert "Release…" not in page


def test_a_plan_is_not_released(false_letter: ProgramLetter) -> None:
    plan = planned()
    client = staff("release_letters")
    address = url("lettervalidationrun_release", plan.pk)

    for page in (text(client.get(address, follow=True)), post(client, address, reason="x")):
        assert f"Run {plan.uuid} is a plan: apply it instead." in page
    assert states(false_letter) == ["active"]


def test_lists_what_the_queue_waits_for(program: Program, run: CourseRun) -> None:
    at = timezone.now()
    held_by = held_run()
    turn, grace, held = (
        LetterRevalidation.objects.create(
            user=user, program=program, opened_at=at, due_at=due_at, held_by=run_
        ).pk
        for user, (due_at, run_) in zip(
            graduates(run, 3),
            ((at, None), (at + timedelta(days=1), None), (None, held_by)),
            strict=True,
        )
    )

    found = {
        choice: [
            row.pk
            for row in staff()
            .get(url("letterrevalidation_changelist"), {"waits_for": choice})
            .context["cl"]
            .result_list
        ]
        for choice in ("turn", "grace", "release")
    }

    assert found == {"turn": [turn], "grace": [grace], "release": [held]}


# What a program sets


def test_a_breakers_limit_is_changed_with_reason_and_history(
    true_letter: ProgramLetter,
) -> None:
    configuration = ProgramLetterConfiguration.objects.get()
    client = staff("change_programletterconfiguration")
    address = url("programletterconfiguration_change", configuration.pk)

    refused = post(client, address, breaker_limit="7", reason="")
    configuration.refresh_from_db()
    unchanged = configuration.breaker_limit
    post(client, address, breaker_limit="7", reason="A big cohort.")

    configuration.refresh_from_db()
    latest, first = configuration.history.order_by("-history_id")
    assert "This field is required." in refused
    assert (unchanged, configuration.breaker_limit) == (None, 7)
    assert (latest.history_change_reason, latest.cause) == ("A big cohort.", "admin")
    assert latest.history_user == User.objects.get(pk=client.session["_auth_user_id"])
    assert (first.history_type, first.breaker_limit) == ("+", None)
    assert (
        client.get(url("programletterconfiguration_history", configuration.pk)).status_code == 200
    )


@pytest.mark.parametrize("limit", ["-1", "many", "1.5", "99999999999999999999"])
def test_a_breakers_limit_is_a_number(program: Program, limit: str) -> None:
    client = staff("add_programletterconfiguration")

    page = post(
        client,
        url("programletterconfiguration_add"),
        program=program.pk,
        breaker_limit=limit,
        reason="x",
    )

    assert "errors" in page
    assert not ProgramLetterConfiguration.objects.exists()


# Templates


def draft_fields(program: Program, **fields: Any) -> dict[str, Any]:
    return {
        "program": program.pk,
        "text": "Well done.",
        "signatories-TOTAL_FORMS": "1",
        "signatories-INITIAL_FORMS": "0",
        "signatories-0-position": "0",
        "signatories-0-name": "Grace Hopper",
        "signatories-0-title_line_1": "Dean",
        **fields,
    }


WRITER = ("add_programlettertemplate", "change_programlettertemplate", "add_lettersignatory")


def test_a_draft_gets_the_next_revision(program: Program) -> None:
    client = staff(*WRITER, "view_program")
    for _ in range(2):
        post(client, url("programlettertemplate_add"), **draft_fields(program))

    drafts = ProgramLetterTemplate.objects.order_by("pk")
    assert [(draft.revision, draft.status) for draft in drafts] == [(1, "draft"), (2, "draft")]
    assert [s.name for s in LetterSignatory.objects.all()] == ["Grace Hopper"] * 2


def test_a_draft_is_edited(program: Program) -> None:
    draft = ProgramLetterTemplate.objects.create(program=program, revision=1, text="Old")
    client = staff("change_programlettertemplate")

    post(
        client,
        url("programlettertemplate_change", draft.pk),
        **draft_fields(program, text="New", status="published", revision="9"),
    )

    draft.refresh_from_db()
    assert (draft.text, draft.status, draft.revision) == ("New", "draft", 1)


@pytest.mark.parametrize(
    ("name", "size", "error"),
    [("logo.html", 10, "not allowed"), ("logo.png", 1_000_001, "larger than 1 MB")],
)
def test_takes_only_small_pictures(program: Program, name: str, size: int, error: str) -> None:
    logo = SimpleUploadedFile(name, b"x" * size)

    page = post(
        staff(*WRITER), url("programlettertemplate_add"), **draft_fields(program, logo=logo)
    )

    assert error in page
    assert not ProgramLetterTemplate.objects.exists()


@pytest.mark.parametrize("status", [TemplateStatus.PUBLISHED, TemplateStatus.WITHDRAWN])
def test_what_was_published_is_only_looked_at(
    admin_client: Client, program: Program, status: TemplateStatus
) -> None:
    template = ProgramLetterTemplate.objects.create(
        program=program, revision=1, text="Old", status=status, published_at=AT
    )
    address = url("programlettertemplate_change", template.pk)

    response = admin_client.post(address, draft_fields(program, text="New"))

    template.refresh_from_db()
    assert response.status_code == 403
    assert admin_client.get(address).status_code == 200
    assert template.text == "Old"
    assert not LetterSignatory.objects.exists()


def test_no_template_is_deleted(admin_client: Client, program: Program) -> None:
    draft = ProgramLetterTemplate.objects.create(program=program, revision=1)

    response = admin_client.post(url("programlettertemplate_delete", draft.pk), {"post": "yes"})

    assert response.status_code == 403
    assert ProgramLetterTemplate.objects.filter(pk=draft.pk).exists()
