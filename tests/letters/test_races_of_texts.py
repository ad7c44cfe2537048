"""Two at once, where texts come and go: no letter misses a text, and none shows a withdrawn one."""

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from django.db import transaction

from credentials_portal.core.errors import DomainError
from letters import services
from letters.enums import RunKind
from letters.models import ProgramLetter, ProgramLetterTemplate
from letters.services import SeenPublication
from programs.models import CourseRun, Program
from tests.core.outbox.test_races import ROUNDS, at_once
from tests.letters.factories import (
    BY,
    DAY,
    HOUR,
    applied,
    assert_sound,
    by_at,
    grade,
    graduates,
    imported,
    issue,
    one_course_program,
    planned,
    publish_text,
    revalidate,
)
from tests.letters.test_races import blocks_another, wait_until
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db(transaction=True)

LATER = AT + HOUR


@pytest.fixture(autouse=True)
def no_breaker(settings: Any) -> None:
    settings.LETTER_BREAKER_LIMIT = 1_000_000


@pytest.fixture
def course(transactional_db: None) -> tuple[Program, CourseRun]:
    program, run = one_course_program()
    issue(program, *graduates(run), at=AT - 9 * DAY)
    return program, run


def draft_of(program: Program) -> ProgramLetterTemplate:
    draft = ProgramLetterTemplate(program=program, text="Well done, {name}.")
    services.add_draft(draft, by=BY)
    draft.refresh_from_db()
    return draft


def publishing(draft: ProgramLetterTemplate, **choices: Any) -> Callable[[], str]:
    """Publish, and say how that ended."""

    def publish() -> str:
        try:
            services.publish_template(
                template_id=draft.pk, by=by_at(LATER), despite_failures=True, **choices
            )
        except DomainError as refusal:
            return refusal.code
        return "published"

    return publish


def hidden_letters(program: Program) -> int:
    """Active letters that nobody is shown."""
    active = ProgramLetter.objects.filter(program=program, state="active")
    return active.count() - active.shown().count()


def shown_times(program: Program) -> list[int]:
    letters = ProgramLetter.objects.filter(program=program, state="active")
    return [letter.events.filter(action="shown").count() for letter in letters]


def test_a_letter_that_is_issued_during_a_publication_is_shown(
    transactional_db: None,
) -> None:
    for _round in range(ROUNDS):
        program, run = one_course_program()
        issue(program, *graduates(run), at=AT - 9 * DAY)
        users = [learner.pk for learner in graduates(run, 3)]
        held_by = services.new_run(RunKind.ISSUE, by=BY)

        at_once(
            publishing(draft_of(program)),
            lambda: services.issue_letters(
                program_id=program.pk,  # noqa: B023 - used at once
                user_ids=users,  # noqa: B023 - used at once
                run=held_by,  # noqa: B023 - used at once
                by=BY,
            ),
        )

        assert ProgramLetter.objects.filter(program=program, state="active").count() == 4
        assert hidden_letters(program) == 0
    assert_sound()


def test_a_letter_that_is_imported_during_a_publication_is_shown(
    transactional_db: None,
) -> None:
    for _round in range(ROUNDS):
        program, _run = one_course_program()
        learners = LearnerFactory.create_batch(3)

        at_once(
            publishing(draft_of(program)),
            lambda: imported(program, *learners),  # noqa: B023 - used at once
        )

        assert hidden_letters(program) == 0
    assert_sound()


def test_two_that_publish_a_draft_publish_it_once(transactional_db: None) -> None:
    for _round in range(ROUNDS):
        program, run = one_course_program()
        issue(program, *graduates(run, 3))
        draft = draft_of(program)

        ends: list[Any] = at_once(publishing(draft), publishing(draft))

        assert sorted(ends) == ["published", "template_frozen"]
        assert shown_times(program) == [1, 1, 1]
        assert draft.history.filter(status="published").count() == 1


def test_two_that_publish_two_drafts_show_each_letter_once(transactional_db: None) -> None:
    for _round in range(ROUNDS):
        program, run = one_course_program()
        issue(program, *graduates(run, 3))
        drafts = [draft_of(program), draft_of(program)]

        ends = at_once(*[publishing(draft) for draft in drafts])

        assert ends == ["published", "published"]
        assert shown_times(program) == [1, 1, 1]
        assert hidden_letters(program) == 0


def test_a_letter_that_is_lifted_while_its_text_is_withdrawn_is_hidden(
    transactional_db: None,
) -> None:
    for _round in range(ROUNDS):
        program, run = one_course_program()
        (letter,) = issue(program, *graduates(run), at=AT - 9 * DAY)
        template = publish_text(program, at=AT - DAY)
        grade(run, letter.user, percent="0.1", at=AT - HOUR)
        applied(planned(at=AT - HOUR), at=AT - HOUR)
        grade(run, letter.user, at=AT)

        at_once(
            lambda: revalidate(AT),
            lambda: services.withdraw_template(template_id=template.pk, by=by_at(AT)),  # noqa: B023 - used at once
        )

        letter.refresh_from_db()
        assert letter.state == "active"
        assert not ProgramLetter.objects.filter(program=program).shown().exists()
    assert_sound()


# --- With the order of events in hand ----------------------------------------------------------


def reinstate(letter: ProgramLetter) -> None:
    services.reinstate_letter(letter_uuid=letter.uuid, by=by_at(LATER))


def lift(letter: ProgramLetter) -> None:
    assert revalidate(LATER) == {"lifted": 1}


@pytest.mark.parametrize("act", [reinstate, lift])
def test_a_letter_that_becomes_active_during_a_publication_is_shown(
    course: tuple[Program, CourseRun], act: Callable[[ProgramLetter], None]
) -> None:
    """It looked for a text before there was one; the publication waits until it is active."""
    program, run = course
    (letter,) = issue(program, *graduates(run))
    if act is reinstate:
        services.revoke_letter(letter_uuid=letter.uuid, by=BY)
    else:
        grade(run, letter.user, percent="0.1", at=AT)
        applied(planned(at=AT))
        grade(run, letter.user, at=LATER)
    draft, is_active = draft_of(program), Event()

    def become_active() -> None:
        with transaction.atomic():
            act(letter)
            is_active.set()
            wait_until(blocks_another)

    def publish() -> str:
        is_active.wait(timeout=60)
        return publishing(draft)()

    at_once(become_active, publish)

    assert hidden_letters(program) == 0
    assert_sound()


def test_a_draft_that_is_being_edited_is_not_published_unseen(
    course: tuple[Program, CourseRun],
) -> None:
    draft, is_locked = draft_of(course[0]), Event()
    seen = SeenPublication(draft.modified, 0)

    def edit() -> None:
        with transaction.atomic():
            services.lock_draft(template_id=draft.pk)
            is_locked.set()
            wait_until(blocks_another)
            ProgramLetterTemplate.objects.get(pk=draft.pk).save()

    def publish() -> str:
        is_locked.wait(timeout=60)
        return publishing(draft, seen=seen)()

    _nothing, end = at_once(edit, publish)

    draft.refresh_from_db()
    assert (end, draft.status) == ("template_changed", "draft")


def test_a_draft_that_is_published_meanwhile_is_not_edited(
    course: tuple[Program, CourseRun],
) -> None:
    draft, is_published = draft_of(course[0]), Event()

    def publish() -> None:
        with transaction.atomic():
            publishing(draft)()
            is_published.set()
            wait_until(blocks_another)

    def edit() -> str:
        is_published.wait(timeout=60)
        try:
            with transaction.atomic():
                services.lock_draft(template_id=draft.pk)
        except DomainError as refusal:
            return refusal.code
        return "edited"

    _nothing, end = at_once(publish, edit)

    assert end == "template_frozen"
