"""Pathways as a learner meets them, a request's story, and the institution's signed link."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.signing import Signer
from django.urls import resolve
from pytest_django import DjangoAssertNumQueries

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.errors import GoneError, NotFoundError
from credentials_portal.core.history import Attribution, save_with_history
from programs.enums import CreditAnswer, CreditRequestStatus
from programs.models import Pathway, Program, UserCreditPathway
from programs.selectors.credit import (
    OfferedPathway,
    TimelineEntry,
    answer_link,
    pathways_of,
    request_of_token,
    requests_of_learner,
    timeline_of,
)
from programs.services.sharing import revoke_share
from tests.programs.factories import (
    AT,
    BY,
    CreditRequestFactory,
    LearnerFactory,
    PathwayFactory,
    ProgramFactory,
    pathway_of,
)
from tests.programs.records.conftest import DAY, INSTANT

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)


@pytest.fixture
def pathway(program: Program) -> Pathway:
    return pathway_of(program, name="Credit")


@pytest.fixture
def request_(learner: User, program: Program, pathway: Pathway) -> UserCreditPathway:
    return CreditRequestFactory.create(user=learner, program=program, pathway=pathway)


def offered(learner: User, program: Program) -> list[OfferedPathway]:
    return pathways_of(program_id=program.pk, user_id=learner.pk)


# --- Pathways ------------------------------------------------------------------------------------


def test_only_published_credit_pathways_with_an_address_are_offered(
    learner: User, program: Program
) -> None:
    pathway_of(program, name="B", consent_text="I agree.", requires_completion=True)
    pathway_of(program, name="A", contact_name="The registrar")
    for fields in (
        {"industry": True},
        {"retired": True},
        {"unpublished": True},
        {"email": ""},
    ):
        pathway_of(program, **fields)
    PathwayFactory.create()

    first, second = offered(learner, program)

    assert (first.name, first.contact_name, first.status, first.last_request) == (
        "A",
        "The registrar",
        "",
        None,
    )
    assert (second.name, second.consent_text, second.requires_completion) == (
        "B",
        "I agree.",
        True,
    )
    assert (second.id, second.org_name) == (second.pathway.pk, "Institution of B")


@pytest.mark.parametrize(
    ("status", "is_offered"),
    [("active", True), ("retired", True), ("unpublished", False), ("deleted", False)],
)
def test_pathways_take_active_and_retired_programs(
    learner: User, program: Program, pathway: Pathway, status: str, is_offered: bool
) -> None:
    Program.objects.update(status=status)

    assert bool(offered(learner, program)) is is_offered


@pytest.mark.parametrize(
    ("status", "told"),
    [("queued", "sent"), ("sent", "sent"), ("failed", ""), ("withdrawn", ""), ("other", "")],
)
def test_a_pathway_was_asked_while_a_request_is_there_or_on_its_way(
    learner: User, program: Program, request_: UserCreditPathway, status: str, told: str
) -> None:
    UserCreditPathway.objects.update(status=status, withdrawn_at=AT)

    [only] = offered(learner, program)

    assert (only.status, only.last_request) == (told, request_)


def test_a_later_failure_does_not_undo_that_an_earlier_request_was_sent(
    learner: User, program: Program, pathway: Pathway, request_: UserCreditPathway
) -> None:
    failed = CreditRequestFactory.create(
        user=learner, program=program, pathway=pathway, number=2, failed=True
    )

    [only] = offered(learner, program)

    assert (only.was_sent, only.last_request) == (True, failed)


def test_requests_about_other_programs_of_others_and_to_others_say_nothing(
    learner: User, program: Program, pathway: Pathway
) -> None:
    other = ProgramFactory.create()
    pathway.programs.add(other)
    CreditRequestFactory.create(user=learner, program=other, pathway=pathway)
    CreditRequestFactory.create(program=program, pathway=pathway)
    CreditRequestFactory.create(user=learner, program=program)
    CreditRequestFactory.create(user=learner, pathway=pathway, legacy=True)

    [only] = offered(learner, program)

    assert (only.was_sent, only.last_request) == (False, None)


@pytest.mark.parametrize("size", [1, 20])
def test_pathways_take_two_statements_whatever_was_asked(
    learner: User,
    program: Program,
    django_assert_num_queries: DjangoAssertNumQueries,
    size: int,
) -> None:
    for _each in range(size):
        pathway = pathway_of(program)
        for number in range(1, 3):
            CreditRequestFactory.create(
                user=learner, program=program, pathway=pathway, number=number
            )

    with django_assert_num_queries(2):
        found = [(each.status, each.last_request) for each in offered(learner, program)]

    assert [request.number for _status, request in found if request] == [2] * size


# --- Requests ------------------------------------------------------------------------------------


def test_all_requests_of_a_learner_are_told_newest_first(
    learner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    old = CreditRequestFactory.create(user=learner, legacy=True, requested_at=AT - DAY)
    program = ProgramFactory.create(title="Statistics")
    new = CreditRequestFactory.create(user=learner, program=program, requested_at=AT)
    CreditRequestFactory.create()

    with django_assert_num_queries(1):
        found = requests_of_learner(user_id=learner.pk)
        names = [(each.pathway.name, each.program and each.program.title) for each in found]

    assert found == [new, old]
    assert names == [(new.pathway.name, "Statistics"), (old.pathway.name, None)]


def change(request: UserCreditPathway, at: datetime, **values: Any) -> None:
    vars(request).update(values)
    save_with_history(request, by=Attribution(at=at, cause="test"))


def told(request: UserCreditPathway) -> list[tuple[datetime, str, str]]:
    return [(entry.at, entry.code, entry.note) for entry in timeline_of(request)]


def test_a_requests_story_is_told_in_its_order(
    request_: UserCreditPathway, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    request_.history.all().delete()
    change(request_, AT, status="queued", sent_at=None)
    change(request_, AT + HOUR, status="sent", sent_at=AT + HOUR)
    answered = {"answer": "received", "answered_at": AT + 2 * HOUR}
    change(request_, AT + 2 * HOUR, **answered)
    change(request_, AT + 3 * HOUR, record_fingerprint="kept")
    refused = {"answer": "refused", "answer_note": "Too late.", "answered_at": AT + 4 * HOUR}
    change(request_, AT + 4 * HOUR, **refused)
    corrected = {"answer_note": "Too early.", "answered_at": AT + 5 * HOUR}
    change(request_, AT + 5 * HOUR, **corrected)
    change(request_, AT + 6 * HOUR, status="withdrawn", withdrawn_at=AT + 6 * HOUR)

    with django_assert_num_queries(1):
        story = timeline_of(request_)

    assert story == [
        TimelineEntry(AT, CreditRequestStatus.QUEUED),
        TimelineEntry(AT + HOUR, CreditRequestStatus.SENT),
        TimelineEntry(AT + 2 * HOUR, CreditAnswer.RECEIVED),
        TimelineEntry(AT + 4 * HOUR, CreditAnswer.REFUSED, "Too late."),
        TimelineEntry(AT + 5 * HOUR, CreditAnswer.REFUSED, "Too early."),
        TimelineEntry(AT + 6 * HOUR, CreditRequestStatus.WITHDRAWN),
    ]
    assert [entry.label for entry in story[:3]] == ["waiting to be sent", "sent", "received"]


def test_a_failure_is_told_and_what_staff_sent_after_it(request_: UserCreditPathway) -> None:
    request_.history.all().delete()
    change(request_, AT, status="queued", sent_at=None)
    change(request_, AT + HOUR, status="failed", failure="smtp_550")
    change(request_, AT + DAY, status="sent", sent_at=AT + DAY)

    assert told(request_) == [
        (AT, "queued", ""),
        (AT + HOUR, "failed", ""),
        (AT + DAY, "sent", ""),
    ]


def test_an_imported_request_tells_what_the_older_service_knew(learner: User) -> None:
    sent = CreditRequestFactory.create(user=learner, legacy=True, sent_at=AT + HOUR)
    unknown = CreditRequestFactory.create(user=learner, legacy=True, status="other", sent_at=None)

    assert told(sent) == [(AT, "queued", ""), (AT + HOUR, "sent", "")]
    assert told(unknown) == [(AT, "queued", "")]


# --- The institution's link ----------------------------------------------------------------------


def token_of(request: UserCreditPathway) -> str:
    token: str = resolve(answer_link(request).removeprefix("https://portal.example.org")).kwargs[
        "token"
    ]
    return token


@pytest.fixture(autouse=True)
def address(settings: Any) -> None:
    settings.PORTAL_BASE_URL = "https://portal.example.org"


def test_the_answers_link_names_its_request_and_no_other(
    request_: UserCreditPathway, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    CreditRequestFactory.create()
    token = token_of(request_)

    with django_assert_num_queries(1):
        found = request_of_token(token, at=AT)
        named = (found.user, found.pathway, found.program, found.shared_record)

    assert found == request_
    assert named == (
        request_.user,
        request_.pathway,
        request_.program,
        request_.shared_record,
    )


def test_it_is_dead_after_a_year(request_: UserCreditPathway) -> None:
    token = token_of(request_)

    assert request_of_token(token, at=AT + YEAR - INSTANT) == request_
    with pytest.raises(GoneError):
        request_of_token(token, at=AT + YEAR)


@pytest.mark.parametrize("status", ["queued", "sent", "failed"])
def test_it_lives_until_the_request_is_withdrawn(request_: UserCreditPathway, status: str) -> None:
    token = token_of(request_)
    UserCreditPathway.objects.update(status=status)

    assert request_of_token(token, at=AT) == request_
    UserCreditPathway.objects.update(status="withdrawn", withdrawn_at=AT)
    with pytest.raises(GoneError):
        request_of_token(token, at=AT)


def test_it_is_dead_once_the_learner_has_left(request_: UserCreditPathway) -> None:
    token = token_of(request_)
    assert request_.shared_record
    revoke_share(link_uuid=request_.shared_record.uuid, by=BY)

    retire_user(user=request_.user, at=AT, actor=None, reason="asked")

    with pytest.raises(GoneError):
        request_of_token(token, at=AT)


def test_nobody_makes_one_up(request_: UserCreditPathway, settings: Any) -> None:
    token = token_of(request_)
    changed = ("f" if token[0] != "f" else "e") + token[1:]
    forged = [
        "",
        "x",
        request_.uuid.hex,
        changed,
        token[:-1],
        token.upper(),
        Signer().sign(request_.uuid.hex),
        Signer(salt="programs.answer_credit_request").sign("no uuid"),
        Signer(salt="programs.answer_credit_request").sign(LearnerFactory.build().username),
        "\x00",
        "é" * 1_000,
    ]

    for one in forged:
        with pytest.raises(NotFoundError) as refusal:
            request_of_token(one, at=AT)
        assert refusal.value.code == "not_found"
    settings.SECRET_KEY = "another"
    with pytest.raises(NotFoundError):
        request_of_token(token, at=AT)
