"""The list of letters: bounded, searched by whole words."""

import re
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils.formats import date_format

from letters.documents import day_of
from letters.models import ProgramLetter
from programs.models import Program
from tests.letters.admin.desk import staff, text, url, uuids
from tests.letters.conftest import Statements
from tests.letters.factories import applied, imported, one_course_program, planned
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db


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


def test_the_list_is_called_by_what_is_in_it_and_tells_who_holds_what(
    false_letter: ProgramLetter,
) -> None:
    letter = imported(false_letter.program, LearnerFactory.create(), created_on=AT)[0]

    page = staff(time_zone="Asia/Tokyo").get(url("programletter_changelist")).content.decode()

    assert re.search(r"<title>\s*Program letters \| ", page)
    assert "Ada (ada)" in page
    assert letter.issued_at is not None
    assert date_format(day_of(letter.issued_at), "j F Y") in page


def test_an_empty_list_says_what_would_be_there_or_that_nothing_fits(
    false_letter: ProgramLetter,
) -> None:
    looking = staff()

    waivers = text(looking.get(url("letterwaiver_changelist")))
    found = text(looking.get(url("programletter_changelist"), {"q": "nobody"}))

    assert "Nothing is here yet" in waivers
    assert "waived for one learner on the page of the letter that fails it" in waivers
    assert "Nothing here fits" in found
    assert "Show everything" in found


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
