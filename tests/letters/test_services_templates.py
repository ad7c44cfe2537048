"""Texts of letters: written, published, withdrawn; what becomes visible and what disappears."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from django.db import transaction

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import ConflictError, NotFoundError
from credentials_portal.core.models import OutboxMessage
from letters import selectors, services
from letters.enums import LetterState, TemplateStatus
from letters.models import (
    LetterSignatory,
    LetterValidationRun,
    ProgramLetter,
    ProgramLetterTemplate,
)
from letters.services import (
    FailingLettersError,
    LetterNotShowableError,
    ReasonMissingError,
    SeenPublication,
    TemplateChangedError,
    TemplateFrozenError,
    TemplateIncompleteError,
)
from programs.models import CourseRun, Program
from programs.services import include_runs
from tests.letters.conftest import Statements
from tests.letters.factories import (
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
    rows,
    story,
)
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db

LATER = AT + HOUR
WRITTEN = (
    *("letters_programletter", "letters_letterevent", "letters_programlettertemplate"),
    *("letters_historicalprogramlettertemplate", "core_outboxmessage"),
)


@pytest.fixture
def course() -> tuple[Program, CourseRun]:
    return one_course_program(title="Engines")


@pytest.fixture
def program(course: tuple[Program, CourseRun]) -> Program:
    return course[0]


@pytest.fixture
def run(course: tuple[Program, CourseRun]) -> CourseRun:
    return course[1]


def draft_of(program: Program, text: str = "Well done, {name}.") -> ProgramLetterTemplate:
    draft = ProgramLetterTemplate(program=program, text=text)
    services.add_draft(draft, by=by_at(AT))
    draft.refresh_from_db()
    return draft


def publish(draft: ProgramLetterTemplate, **choices: Any) -> selectors.Publication:
    return services.publish_template(
        template_id=draft.pk, **{"by": by_at(LATER, reason=""), **choices}
    )


def withdraw(template: ProgramLetterTemplate, **choices: Any) -> int:
    by = by_at(LATER, reason="A wrong name.")
    return services.withdraw_template(template_id=template.pk, **{"by": by, **choices})


def roll_back(plan: LetterValidationRun, *, at: datetime) -> None:
    services.start_rollback(plan, by=by_at(at))
    assert services.roll_back_page(run=plan, size=100, by=by_at(at)) == {"restored": 1}


def shown(program: Program) -> set[int]:
    return set(ProgramLetter.objects.filter(program=program).shown().values_list("pk", flat=True))


def pins(*letters: ProgramLetter) -> list[int | None]:
    return [ProgramLetter.objects.get(pk=one.pk).content_revision_id for one in letters]


# --- Publishing --------------------------------------------------------------------------------


def test_publishing_shows_the_letters_that_have_no_text(program: Program, run: CourseRun) -> None:
    letters = issue(program, *graduates(run, 2))
    actor = User.objects.create(username="rita")

    publication = publish(draft_of(program), by=by_at(LATER, actor=actor, reason=""))

    template = ProgramLetterTemplate.objects.get()
    assert (publication.appearing, publication.unseen, publication.failing) == (2, 2, 0)
    assert (template.status, template.published_at, template.published_by) == (
        *("published", LATER),
        actor,
    )
    assert shown(program) == {letter.pk for letter in letters}
    for letter in ProgramLetter.objects.all():
        event = letter.events.latest("letter_version")
        assert letter.first_visible_at == LATER
        assert letter.state_changed_at == AT
        assert (event.action, event.actor, event.at) == ("shown", actor, LATER)
        assert event.before == {"content_revision_id": None}
    assert_sound()


def test_letters_keep_the_text_that_they_have(program: Program, run: CourseRun) -> None:
    (old,) = issue(program, *graduates(run))
    first = publish_text(program, at=AT)
    second = draft_of(program, "Other words, {name}.")

    publication = publish(second)
    (new,) = issue(program, *graduates(run), at=LATER)

    assert (publication.appearing, publication.keeping) == (0, 1)
    assert pins(old, new) == [first.pk, second.pk]
    assert shown(program) == {old.pk, new.pk}
    assert [action for action, *_rest in story(old)][-1] == "shown"


def test_other_programs_see_nothing_of_it(program: Program) -> None:
    other, other_run = one_course_program()
    (letter,) = issue(other, *graduates(other_run))

    publication = publish(draft_of(program))

    assert (publication.appearing, pins(letter)) == (0, [None])


def test_refuses_to_show_false_letters(program: Program, run: CourseRun) -> None:
    issue(program, *graduates(run))
    imported(program, *LearnerFactory.create_batch(3))
    draft = draft_of(program)
    before = rows(*WRITTEN)

    with pytest.raises(FailingLettersError, match="4 letters visible, and 3 of them") as refusal:
        publish(draft, by=by_at(LATER, reason="Because."))

    publication = refusal.value.publication
    assert (publication.appearing, publication.failing) == (4, 3)
    assert publication.reasons == Counter({f"core_course:{run.course.key}": 3})
    assert [codes for _letter, codes in publication.sample] == [
        (f"core_course:{run.course.key}",)
    ] * 3
    assert rows(*WRITTEN) == before


def test_shows_false_letters_only_with_a_reason(program: Program) -> None:
    letters = imported(program, *LearnerFactory.create_batch(2))
    draft = draft_of(program)
    before = rows(*WRITTEN)

    with pytest.raises(ReasonMissingError):
        publish(draft, despite_failures=True)
    assert rows(*WRITTEN) == before
    publish(draft, despite_failures=True, by=by_at(LATER, reason="The board said so."))

    assert shown(program) == {letter.pk for letter in letters}
    assert draft.history.latest("history_id").history_change_reason == "The board said so."


def test_a_letter_that_nobody_can_judge_counts_as_failing(program: Program, run: CourseRun) -> None:
    issue(program, *graduates(run))
    include_runs(program=program, course_run_ids=[], by=by_at(AT))

    publication = selectors.publication(program.pk, at=AT)

    assert (publication.appearing, publication.failing) == (1, 1)
    assert publication.reasons["requirements_satisfiable"] == 1


def test_refuses_when_more_fail_than_were_seen(program: Program, run: CourseRun) -> None:
    learners = graduates(run, 3)
    issue(program, *learners)
    draft = draft_of(program)
    grade(run, learners[0], percent="0.1", at=AT + HOUR)
    seen = selectors.publication(program.pk, at=LATER).failing
    grade(run, learners[1], percent="0.1", at=AT + HOUR)
    by = by_at(LATER, reason="Looked at.")

    with pytest.raises(FailingLettersError) as refusal:
        publish(draft, by=by, despite_failures=True, seen=SeenPublication(draft.modified, seen))
    again = SeenPublication(draft.modified, refusal.value.publication.failing)
    grade(run, learners[1], at=AT + 2 * HOUR)
    publication = publish(draft, by=by, despite_failures=True, seen=again)

    assert (seen, again.failing, publication.failing) == (1, 2, 1)
    assert len(shown(program)) == 3


def test_refuses_a_draft_that_was_edited_since_it_was_seen(program: Program) -> None:
    draft = draft_of(program)
    seen = SeenPublication(draft.modified, 0)
    draft.text = "Something else."
    draft.save()
    before = rows(*WRITTEN)

    with pytest.raises(TemplateChangedError):
        publish(draft, seen=seen)

    assert rows(*WRITTEN) == before


@pytest.mark.parametrize("text", ["", "<p></p>", "&nbsp;", "**", "\u200b", "{nome}"])
def test_refuses_a_text_that_says_nothing_or_cannot_be_set(program: Program, text: str) -> None:
    draft = draft_of(program, text)
    before = rows(*WRITTEN)

    with pytest.raises(TemplateIncompleteError):
        publish(draft)

    assert rows(*WRITTEN) == before


def test_publishes_no_revision_twice(program: Program) -> None:
    published = publish_text(program)
    before = rows(*WRITTEN)

    with pytest.raises(TemplateFrozenError):
        publish(published)
    withdraw(published)
    with pytest.raises(TemplateFrozenError):
        publish(published)
    with pytest.raises(NotFoundError):
        services.publish_template(template_id=published.pk + 1, by=by_at(AT))

    published.refresh_from_db()
    assert published.status == "withdrawn"
    assert rows("letters_programletter") == {
        "letters_programletter": before["letters_programletter"]
    }


def test_counts_what_stays_hidden_by_state(program: Program, run: CourseRun) -> None:
    revoked, _active = issue(program, *graduates(run, 2))
    services.revoke_letter(letter_uuid=revoked.uuid, by=by_at(AT))
    imported(program, *LearnerFactory.create_batch(2), is_active=False)

    publication = publish(draft_of(program))

    assert publication.hidden == {LetterState.REVOKED: 1, LetterState.SUSPENDED: 2}
    assert (publication.appearing, publication.keeping) == (1, 0)
    assert pins(revoked) == [None]


def test_the_sample_shows_each_mixture_of_reasons(program: Program, run: CourseRun) -> None:
    plain = imported(program, *LearnerFactory.create_batch(12))
    (early,) = imported(program, LearnerFactory.create(), created_on=AT - 900 * DAY)

    publication = selectors.publication(program.pk, at=AT)

    assert publication.failing == 13
    assert len(publication.sample) == 10
    assert publication.sample[0][0] == plain[0]
    assert publication.sample[1] == (
        early,
        ("program_started", f"core_course:{run.course.key}"),
    )


def test_holders_are_told_only_if_asked_and_only_of_new_letters(
    program: Program, run: CourseRun
) -> None:
    (seen_before,) = issue(program, *graduates(run))
    withdraw(publish_text(program, at=AT))
    (new,) = issue(program, *graduates(run))
    assert not OutboxMessage.objects.exists()

    publication = publish(draft_of(program), notify=True)

    assert (publication.appearing, publication.unseen) == (2, 1)
    new.refresh_from_db()
    assert [message.payload for message in OutboxMessage.objects.all()] == [
        {"letter": new.pk, "version": new.version, "notice": "issued"}
    ]
    seen_before.refresh_from_db()
    assert seen_before.first_visible_at == AT


def test_publishing_tells_nobody_by_itself(program: Program, run: CourseRun) -> None:
    issue(program, *graduates(run, 3))

    publish(draft_of(program))

    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize("notify", [False, True])
def test_publishing_needs_the_same_statements_for_any_number_of_letters(
    statements: Statements, notify: bool
) -> None:
    counts = []
    for number in (1, 50):
        program, run = one_course_program()
        issue(program, *graduates(run, number))
        imported(program, *LearnerFactory.create_batch(number))
        draft, by = draft_of(program), by_at(LATER, reason="Looked at.")
        with statements.counted() as asked:
            publish(draft, by=by, despite_failures=True, notify=notify)
        counts.append(len(asked))

    assert counts[0] == counts[1]


# --- Withdrawing -------------------------------------------------------------------------------


def test_withdrawing_hides_the_letters_and_changes_none(program: Program, run: CourseRun) -> None:
    issue(program, *graduates(run, 2))
    template = publish_text(program, at=AT)
    before = rows("letters_programletter", "letters_letterevent", "core_outboxmessage")
    actor = User.objects.create(username="rita")

    hidden = withdraw(template, by=by_at(LATER, actor=actor, reason="A wrong name."))

    template.refresh_from_db()
    latest = template.history.latest("history_id")
    assert hidden == 2
    assert shown(program) == set()
    assert rows(*before) == before
    assert (template.status, template.withdrawn_at, template.withdrawn_by) == (
        *("withdrawn", LATER),
        actor,
    )
    assert (latest.status, latest.history_change_reason, latest.history_user) == (
        *("withdrawn", "A wrong name."),
        actor,
    )


def test_withdraws_one_revision_or_all_of_the_program(program: Program, run: CourseRun) -> None:
    other = publish_text(one_course_program()[0], at=AT)
    (first_letter,) = issue(program, *graduates(run))
    first = publish_text(program, at=AT)
    second = publish_text(program, at=LATER)
    third = publish_text(program, at=LATER + HOUR)
    (third_letter,) = issue(program, *graduates(run), at=LATER + 2 * HOUR)

    found = selectors.withdrawal(first)
    hidden = withdraw(first)
    left = shown(program)
    hidden_too = withdraw(second, every_revision=True)

    assert (found.of_revision, found.of_program) == (1, 2)
    assert (hidden, left, hidden_too) == (1, {third_letter.pk}, 1)
    assert shown(program) == set()
    assert pins(first_letter, third_letter) == [first.pk, third.pk]
    standing = ProgramLetterTemplate.objects.order_by("pk").values_list("pk", "status")
    assert dict(standing) == {
        other.pk: "published",
        **dict.fromkeys((first.pk, second.pk, third.pk), "withdrawn"),
    }


@pytest.mark.parametrize("reason", ["", " \n"])
def test_withdrawing_needs_a_reason(program: Program, reason: str) -> None:
    template = publish_text(program)
    before = rows(*WRITTEN)

    with pytest.raises(ReasonMissingError):
        withdraw(template, by=by_at(LATER, reason=reason))

    assert rows(*WRITTEN) == before


def test_withdraws_only_what_is_published(program: Program) -> None:
    draft = draft_of(program)
    before = rows(*WRITTEN)

    with pytest.raises(ConflictError):
        withdraw(draft)
    with pytest.raises(NotFoundError):
        services.withdraw_template(template_id=draft.pk + 1, by=by_at(AT))

    assert rows(*WRITTEN) == before


def test_the_next_publication_shows_hidden_letters_again(program: Program, run: CourseRun) -> None:
    (letter,) = issue(program, *graduates(run))
    withdrawn = publish_text(program, at=AT)
    withdraw(withdrawn)

    second = draft_of(program, "Better, {name}.")
    publish(second)

    assert shown(program) == {letter.pk}
    event = letter.events.latest("letter_version")
    assert (event.action, event.before) == ("shown", {"content_revision_id": withdrawn.pk})


def test_new_letters_get_no_text_once_the_newest_is_withdrawn(
    program: Program, run: CourseRun
) -> None:
    publish_text(program, at=AT)
    withdraw(publish_text(program, at=LATER))

    (letter,) = issue(program, *graduates(run), at=LATER + HOUR)

    assert pins(letter) == [None]
    assert letter.first_visible_at is None


def test_withdrawing_needs_the_same_statements_for_any_number_of_revisions_and_letters(
    statements: Statements,
) -> None:
    counts = []
    for number in (1, 50):
        program, run = one_course_program()
        issue(program, *graduates(run, number))
        for hour in range(min(number, 5)):
            template = publish_text(program, at=AT + hour * HOUR)
        with statements.counted() as asked:
            withdraw(template, every_revision=True, by=by_at(AT + DAY))
        counts.append(len(asked))

    assert counts[0] == counts[1]


# --- Letters that become active ----------------------------------------------------------------


def test_a_suspended_letter_keeps_its_text_and_is_shown_again(
    program: Program, run: CourseRun
) -> None:
    (letter,) = issue(program, *graduates(run))
    template = publish_text(program, at=AT)
    grade(run, letter.user, percent="0.1", at=LATER)
    applied(planned(at=LATER), at=LATER)
    hidden = shown(program)
    publish_text(program, "Newer, {name}.", at=LATER)
    grade(run, letter.user, percent="0.9", at=LATER + HOUR)

    revalidate(LATER + HOUR)

    assert (hidden, shown(program), pins(letter)) == (set(), {letter.pk}, [template.pk])


def test_a_letter_that_was_suspended_at_publication_gets_the_text_when_it_is_lifted(
    program: Program, run: CourseRun
) -> None:
    (letter,) = issue(program, *graduates(run))
    grade(run, letter.user, percent="0.1", at=AT)
    applied(planned(at=AT))
    template = publish_text(program, at=LATER)
    assert pins(letter) == [None]
    grade(run, letter.user, percent="0.9", at=LATER)

    revalidate(LATER)

    letter.refresh_from_db()
    assert (letter.content_revision_id, letter.first_visible_at) == (template.pk, LATER)


@pytest.mark.parametrize("had_a_text", [True, False])
def test_a_rollback_shows_no_letter_that_was_hidden(program: Program, had_a_text: bool) -> None:
    """It may be a false one, and nobody was asked about it at the publication."""
    (letter,) = imported(program, LearnerFactory.create())
    if had_a_text:
        withdraw(publish_text(program, at=AT))
    plan = planned(at=LATER)
    applied(plan, at=LATER)
    publish(draft_of(program, "Better, {name}."))

    roll_back(plan, at=LATER)

    letter.refresh_from_db()
    assert letter.state == "active"
    assert shown(program) == set()
    with pytest.raises(FailingLettersError):
        publish(draft_of(program, "Best, {name}."))
    assert_sound()


def test_a_rollback_shows_letters_with_the_text_that_they_had(program: Program) -> None:
    (letter,) = imported(program, LearnerFactory.create())
    template = publish_text(program, at=AT)
    plan = planned(at=LATER)
    applied(plan, at=LATER)
    publish(draft_of(program, "Better, {name}."))

    roll_back(plan, at=LATER)

    assert (shown(program), pins(letter)) == ({letter.pk}, [template.pk])


def test_no_refresh_shows_a_false_letter_that_was_hidden(program: Program, run: CourseRun) -> None:
    (false,) = imported(program, LearnerFactory.create())
    (true,) = issue(program, *graduates(run))
    first, second = publish_text(program, at=AT), publish_text(program, at=AT)
    withdraw(first)
    before = rows(*WRITTEN)

    with pytest.raises(LetterNotShowableError) as refusal:
        services.refresh_letter(letter_uuid=false.uuid, by=by_at(LATER))

    assert refusal.value.failed_checks == (f"core_course:{run.course.key}",)
    assert rows(*WRITTEN) == before
    assert services.refresh_letter(letter_uuid=true.uuid, by=by_at(LATER))
    assert (shown(program), pins(true)) == ({true.pk}, [second.pk])


# --- Drafts ------------------------------------------------------------------------------------


def test_drafts_count_on_with_history(program: Program) -> None:
    actor = User.objects.create(username="rita")
    drafts = [ProgramLetterTemplate(program=program, text=text) for text in ("One.", "Two.")]

    for draft in drafts:
        services.add_draft(draft, by=by_at(AT, actor=actor))

    assert [draft.revision for draft in drafts] == [1, 2]
    history = drafts[1].history.get()
    assert (history.history_type, history.history_user, history.text) == ("+", actor, "Two.")


def test_copies_a_revision_with_its_signatories(program: Program) -> None:
    source = publish_text(program, "Well done.", header="H", footer="F")
    LetterSignatory.objects.filter(template=source)

    draft = services.copy_template(template_id=source.pk, by=by_at(LATER))

    draft.refresh_from_db()
    assert (draft.revision, draft.status, draft.published_at) == (2, TemplateStatus.DRAFT, None)
    assert (draft.header, draft.text, draft.footer) == ("H", "Well done.", "F")
    signed = draft.signatories.values_list("name", "title_line_1", "position")
    assert list(signed) == list(source.signatories.values_list("name", "title_line_1", "position"))
    assert draft.history.count() == 1
    with pytest.raises(NotFoundError):
        services.copy_template(template_id=draft.pk + 1, by=by_at(LATER))


def test_only_drafts_are_edited(program: Program) -> None:
    published = publish_text(program)

    with transaction.atomic(), pytest.raises(TemplateFrozenError):
        services.lock_draft(template_id=published.pk)
    with transaction.atomic(), pytest.raises(NotFoundError):
        services.lock_draft(template_id=published.pk + 1)
