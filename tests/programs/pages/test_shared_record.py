"""What a stranger reads behind a link: what the learner chose to show, and nothing else."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credentials_portal.accounts.models import User
from letters.services import LetterRecord, import_letters
from programs.models import Program, SharedProgramRecord, SharedRecordViewCount
from tests.letters.factories import publish_text
from tests.programs.factories import (
    AT,
    BY,
    CreditRequestFactory,
    GradeFactory,
    PathwayFactory,
    SharedRecordFactory,
    pathway_of,
)
from tests.programs.pages.now import earn, learner, program_of, run_of, signed_in, stranger, words

pytestmark = pytest.mark.django_db

UNKNOWN = "0a9f2f1e-5a0c-4c3e-9d43-6f3f5d3f6a11"


@pytest.fixture(autouse=True)
def counts() -> Iterator[None]:
    """What was counted against the limits is forgotten."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada() -> User:
    return learner(username="countess", full_name="Ada Lovelace", email="ada@example.org")


@pytest.fixture
def program(ada: User) -> Program:
    earned, failed = run_of("Statistics"), run_of("Probability")
    program = program_of(ada, earned, failed, title="Data Science")
    earn(ada, earned, "0.87")
    GradeFactory.create(user=ada, course_run=failed, failing=True)
    return program


def link_of(ada: User, program: Program, **fields: Any) -> SharedProgramRecord:
    link: SharedProgramRecord = SharedRecordFactory.create(user=ada, program=program, **fields)
    return link


def page(link: SharedProgramRecord) -> str:
    return f"/programs/shared/{link.uuid}/"


def views() -> int:
    return sum(SharedRecordViewCount.objects.values_list("views", flat=True))


def test_a_stranger_reads_the_record_with_the_name_alone(ada: User, program: Program) -> None:
    link = link_of(ada, program)
    pathway_of(program, name="MSc")

    response = stranger().get(page(link))

    said, html = words(response), response.content.decode()
    assert response.status_code == 200
    assert "Data Science Learner: Ada Lovelace Status partially completed" in said
    assert "Statistics" in said
    assert "87 %" in said
    for hidden in ("ada@example.org", "countess", "MSc", "40 %", "was not passed"):
        assert hidden not in html


@pytest.mark.parametrize("field", ["show_email", "show_username"])
def test_only_what_the_learner_chose_is_shown_beside_the_name(
    ada: User, program: Program, field: str
) -> None:
    link = link_of(ada, program, **{field: True})

    html = stranger().get(page(link)).content.decode()

    assert ("ada@example.org" in html) is (field == "show_email")
    assert ("countess" in html) is (field == "show_username")


def test_a_username_does_not_stand_in_for_a_missing_name(ada: User, program: Program) -> None:
    User.objects.filter(pk=ada.pk).update(full_name="")
    link = link_of(ada, program)

    response = stranger().get(page(link))

    assert "A learner whose name is not known" in words(response)
    assert "countess" not in response.content.decode()


def test_the_letter_is_not_shown(ada: User, program: Program) -> None:
    publish_text(program)
    uuid = uuid4()
    import_letters([(1, LetterRecord(uuid, ada.username, str(program.uuid), True, AT))], by=BY)

    assert str(uuid) not in stranger().get(page(link_of(ada, program))).content.decode()


def test_search_engines_caches_and_other_sites_get_nothing(ada: User, program: Program) -> None:
    link = link_of(ada, program)
    dead = link_of(ada, program, revoked=True)

    for response in (stranger().get(page(link)), stranger().get(page(dead))):
        assert response["X-Robots-Tag"] == "noindex"
        assert response["Referrer-Policy"] == "no-referrer"
        assert "no-store" in response["Cache-Control"]
        assert '<meta name="robots" content="noindex">' in response.content.decode()


def test_an_institutions_link_says_since_when_and_that_it_is_live(
    ada: User, program: Program
) -> None:
    pathway = PathwayFactory.create(name="MSc")
    link = link_of(ada, program, of_request=True, created=AT)
    CreditRequestFactory.create(user=ada, program=program, pathway=pathway, shared_record=link)

    said = words(stranger().get(page(link)))

    assert "Sent 1 June 2025 . The learner asked for credit with this record then." in said
    assert "Live This is what is known at" in said
    assert "E-mail address ada@example.org" in said


def test_a_learners_own_link_says_nothing_of_requests(ada: User, program: Program) -> None:
    CreditRequestFactory.create(user=ada, program=program)

    assert "credit" not in words(stranger().get(page(link_of(ada, program))))


def test_it_is_live(ada: User, program: Program) -> None:
    link = link_of(ada, program)
    before = words(stranger().get(page(link)))
    User.objects.filter(pk=ada.pk).update(full_name="Countess of Lovelace")

    assert "Ada Lovelace" in before
    assert "Learner: Countess of Lovelace" in words(stranger().get(page(link)))


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_dead_link_says_so_and_nothing_of_anybody(ada: User, program: Program, end: str) -> None:
    fields: dict[str, Any] = {"revoked": True}
    if end == "expired":
        fields = {"expires_at": timezone.now()}
    link = link_of(ada, program, **fields)

    response = stranger().get(page(link))

    html = response.content.decode()
    assert response.status_code == 410
    assert "This link no longer works" in html
    for hidden in ("Lovelace", "countess", "ada@example.org", "Data Science"):
        assert hidden not in html
    assert signed_in(ada).get(page(link)).status_code == 410
    assert views() == 0


def test_a_link_dies_at_the_instant_of_its_expiry(ada: User, program: Program) -> None:
    link = link_of(ada, program, expires_at=AT)

    assert link.is_live(AT - timedelta(microseconds=1))
    assert not link.is_live(AT)


@pytest.mark.parametrize("path", [f"/programs/shared/{UNKNOWN}/", "/programs/shared/7/"])
def test_a_link_that_never_was_is_not_found(path: str) -> None:
    assert stranger().get(path).status_code == 404


def test_views_of_others_are_counted_and_the_learners_are_not(ada: User, program: Program) -> None:
    link = link_of(ada, program)

    stranger().get(page(link))
    signed_in(learner()).get(page(link))
    stranger().head(page(link))
    own = signed_in(ada).get(page(link))

    assert views() == 2
    assert "This is what others see who have this link." in words(own)


def test_addresses_that_ask_too_often_are_refused(ada: User, program: Program) -> None:
    link = link_of(ada, program)
    browser = stranger()

    statuses = [browser.get(page(link)).status_code for _ in range(61)]

    assert statuses == [200] * 60 + [429]


def test_it_is_only_read(ada: User, program: Program) -> None:
    assert stranger().post(page(link_of(ada, program))).status_code == 405


def test_the_csv_is_offered_under_the_links_old_address(ada: User, program: Program) -> None:
    link = link_of(ada, program)

    html = stranger().get(page(link)).content.decode()

    assert f'href="/records/programs/shared/{link.uuid.hex}/csv"' in html


def test_names_are_text_whatever_they_hold(program: Program) -> None:
    eve = learner(full_name='<script>alert("x")</script>' + "W" * 200, email="eve@example.org")
    earn(eve, run_of("Law"))
    Program.objects.filter(pk=program.pk).update(title="</title><script>alert(2)</script>")

    html = stranger().get(page(link_of(eve, program))).content.decode()

    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(&quot;x&quot;)") == 2


def test_four_statements_whatever_there_is_and_two_for_who_reads(ada: User) -> None:
    browser = signed_in(learner())

    def statements(courses: int) -> int:
        runs = [run_of(f"Course {number}") for number in range(courses)]
        program = program_of(ada, *runs)
        for run in runs:
            earn(ada, run)
        link = link_of(ada, program)
        with CaptureQueriesContext(connection) as queries:
            response = browser.get(page(link))
        assert f"{courses} of {courses} earned" in words(response)
        return len(queries)

    assert [statements(1), statements(50)] == [6, 6]
