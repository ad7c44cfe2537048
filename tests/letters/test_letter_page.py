"""The letter's page and its PDF: shown while the letter is valid, dead in the same second."""

import re
from datetime import UTC, date, datetime
from io import BytesIO

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags
from PIL import Image
from pytest_django import DjangoAssertNumQueries
from pytest_django.asserts import assertContains, assertNotContains

from credentials_portal.accounts.models import User
from letters import services
from letters.enums import Viewer
from letters.models import LetterViewCount, ProgramLetter, ProgramLetterTemplate
from programs.models import Program
from tests.letters.factories import (
    HOUR,
    applied,
    by_at,
    grade,
    graduates,
    issue,
    one_course_program,
    planned,
    publish_text,
)
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db

REASON = "Copied the capstone."


@pytest.fixture
def letter() -> ProgramLetter:
    """A letter with a published text, of a learner who passed."""
    program, run = one_course_program(title="Engines")
    publish_text(program, at=AT)
    [learner] = graduates(run)
    [letter] = issue(program, learner)
    return letter


def page(letter: ProgramLetter) -> str:
    return f"/letter/program/{letter.uuid}/"


def pdf(letter: ProgramLetter) -> str:
    return f"/letter/program/{letter.uuid}.pdf"


def text_of(client: Client, letter: ProgramLetter) -> str:
    """What the page says, without its tags."""
    return re.sub(r"\s+", " ", strip_tags(client.get(page(letter)).content.decode()))


def answers(client: Client, letter: ProgramLetter) -> tuple[int, int, str]:
    """What page, PDF and verification answer."""
    facts = client.get(f"{page(letter)}verify/", headers={"accept": "application/json"}).json()
    statuses = (client.get(page(letter)).status_code, client.get(pdf(letter)).status_code)
    return (*statuses, facts["status"])


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_shows_what_the_letter_says(client: Client, letter: ProgramLetter) -> None:
    text = text_of(client, letter)

    name = letter.recipient_name
    for words in (name, "Engines", f"Well done, {name}.", "Grace Hopper", "Dean", "1 June 2025"):
        assert words in text
    assert f"http://localhost:8000{page(letter)}verify/" in text


def test_the_pdf_has_the_same_bytes_the_second_time(client: Client, letter: ProgramLetter) -> None:
    first, second = client.get(pdf(letter)), client.get(pdf(letter))

    assert first["Content-Type"] == "application/pdf"
    assert first["Content-Disposition"] == f'inline; filename="letter-{letter.uuid}.pdf"'
    assert first.content.startswith(b"%PDF-")
    assert first.content == second.content


@pytest.mark.parametrize("address", [page, pdf])
def test_is_neither_indexed_nor_cached_nor_referred(
    client: Client, letter: ProgramLetter, address: object
) -> None:
    response = client.get(address(letter))  # type: ignore[operator]  # page or pdf

    assert response["X-Robots-Tag"] == "noindex"
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]


def test_holds_no_form_that_browsers_would_send_without_an_origin(
    client: Client, letter: ProgramLetter
) -> None:
    client.force_login(letter.user)

    html = client.get(page(letter)).content.decode()

    assert "<form" not in html
    assert 'href="/letters/"' in html


def test_a_revoked_letter_is_dead_everywhere_at_once(client: Client, letter: ProgramLetter) -> None:
    services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT, reason=REASON))

    assert answers(client, letter) == (410, 410, "withdrawn")
    gone = client.get(page(letter))
    assertContains(gone, "This letter was withdrawn", status_code=410)
    for words in (letter.recipient_name, "Engines", "capstone"):
        assertNotContains(gone, words, status_code=410)
    home = signed_in(letter.user).get("/")
    assertNotContains(home, page(letter))
    assertNotContains(home, "capstone")


def test_a_reinstated_letter_lives_under_the_same_address(
    client: Client, letter: ProgramLetter
) -> None:
    services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT, reason=REASON))
    services.reinstate_letter(letter_uuid=letter.uuid, by=by_at(AT, reason="Won the appeal."))

    assert answers(client, letter) == (200, 200, "valid")


def test_a_suspended_letter_is_not_shown_and_may_come_back(
    client: Client, letter: ProgramLetter
) -> None:
    run = letter.program.course_runs.get()
    grade(run, letter.user, percent="0.1", at=AT + HOUR)
    plan = planned(at=AT + HOUR)
    applied(plan, at=AT + HOUR)

    assert answers(client, letter) == (410, 410, "temporarily_not_valid")
    assertContains(client.get(page(letter)), "not valid at the moment", status_code=410)
    assertNotContains(client.get(page(letter)), letter.recipient_name, status_code=410)


def test_without_a_text_only_the_holder_knows_of_the_letter(client: Client) -> None:
    program, run = one_course_program()
    [learner] = graduates(run)
    [letter] = issue(program, learner)

    assert answers(client, letter) == (404, 404, "not_found")
    assert signed_in(LearnerFactory.create()).get(page(letter)).status_code == 404
    assertContains(signed_in(learner).get(page(letter)), "Your letter is being prepared")
    assertContains(signed_in(learner).get(pdf(letter)), "Your letter is being prepared")
    assertNotContains(signed_in(learner).get("/"), page(letter))


def test_withdrawing_the_text_hides_every_letter_at_once(
    client: Client, letter: ProgramLetter
) -> None:
    template = ProgramLetterTemplate.objects.get()

    services.withdraw_template(template_id=template.pk, by=by_at(AT, reason="Wrong name."))

    assert answers(client, letter) == (404, 404, "not_found")
    assertContains(signed_in(letter.user).get(page(letter)), "Your letter is being prepared")


@pytest.mark.parametrize(
    "address",
    [
        "/letter/program/00000000-0000-4000-8000-000000000000/",
        "/letter/program/00000000-0000-4000-8000-000000000000.pdf",
        "/letter/program/not-a-uuid/",
        "/letter/program/not-a-uuid.pdf",
        "/letter/program/%00/",
        "/letter/program//",
        f"/letter/picture/{'0' * 64}.png",
        "/letter/picture/logo.png",
    ],
)
def test_answers_404_to_what_never_was(client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("rubbish", ["junk", "junk/", "../junk", "verify/junk", "%0a"])
def test_answers_404_to_anything_after_the_address(
    client: Client, letter: ProgramLetter, rubbish: str
) -> None:
    assert client.get(f"{page(letter)}{rubbish}", follow=True).status_code == 404
    assert client.get(f"{pdf(letter)}{rubbish}", follow=True).status_code == 404


@pytest.mark.parametrize("address", [page, pdf])
def test_no_cache_keeps_that_a_letter_is_not_to_be_seen(client: Client, address: object) -> None:
    """In a moment its text may be published; without a word caches keep a 404."""
    program, run = one_course_program()
    [letter] = issue(program, *graduates(run))

    response = client.get(address(letter))  # type: ignore[operator]  # page or pdf

    assert response.status_code == 404
    assert "no-store" in response["Cache-Control"]


def test_knows_nothing_of_a_letter_that_waits_for_release(client: Client) -> None:
    program, run = one_course_program()
    publish_text(program)
    [learner] = graduates(run)
    services.issue_letters(
        program_id=program.pk,
        user_ids=[learner.pk],
        run=services.new_run("issue", by=by_at(AT)),  # type: ignore[arg-type]  # a RunKind
        by=by_at(AT),
    )
    [pending] = ProgramLetter.objects.all()

    assert pending.state == "pending"
    assert answers(client, pending) == (404, 404, "not_found")
    assert signed_in(learner).get(page(pending)).status_code == 404


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "N" * 200, "محمد بن عبد الله", "{program} *x* & co"]
)
def test_prints_any_name_as_it_is(client: Client, letter: ProgramLetter, name: str) -> None:
    User.objects.filter(pk=letter.user_id).update(full_name=name)
    services.refresh_letter(letter_uuid=letter.uuid, by=by_at(AT, reason="Married."))

    response = client.get(page(letter))

    assertContains(response, f">{name}<" if "<" not in name and "&" not in name else "</p>")
    assertNotContains(response, "<script>alert")
    assert client.get(pdf(letter)).status_code == 200


def test_keeps_the_name_and_the_text_that_it_was_issued_with(
    client: Client, letter: ProgramLetter
) -> None:
    before = client.get(pdf(letter)).content
    User.objects.filter(pk=letter.user_id).update(full_name="Another Name")
    publish_text(letter.program, "Something else, {name}.", at=AT + HOUR)

    assertNotContains(client.get(page(letter)), "Another Name")
    assertNotContains(client.get(page(letter)), "Something else")
    assert client.get(pdf(letter)).content == before


def test_is_brought_up_to_date_only_by_a_person(client: Client, letter: ProgramLetter) -> None:
    User.objects.filter(pk=letter.user_id).update(full_name="Another Name")
    publish_text(letter.program, "Something else, {name}.", at=AT + HOUR)

    services.refresh_letter(letter_uuid=letter.uuid, by=by_at(AT + HOUR, reason="Married."))

    assert "Something else, Another Name." in text_of(client, letter)
    letter.refresh_from_db()
    assert letter.issued_at == AT
    assert letter.events.latest("letter_version").action == "refreshed"


def test_asks_four_statements_of_who_is_signed_in_and_fewer_of_others(
    client: Client, letter: ProgramLetter, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    holder = signed_in(letter.user)
    holder.get(page(letter))

    with django_assert_num_queries(4):
        assert holder.get(page(letter)).status_code == 200
    with django_assert_num_queries(2):
        assert client.get(page(letter)).status_code == 200


def test_prints_the_day_of_the_portals_zone(client: Client, letter: ProgramLetter) -> None:
    reader = LearnerFactory.create(time_zone="Pacific/Auckland")
    late = datetime(2025, 6, 1, 23, 30, tzinfo=UTC)
    program: Program = letter.program
    [other] = issue(program, *graduates(program.course_runs.get()), at=late)

    for visitor in (client, signed_in(reader)):
        assertContains(visitor.get(page(other)), "1 June 2025")


def views_of(letter: ProgramLetter) -> dict[str, int]:
    return dict(LetterViewCount.objects.filter(letter=letter).values_list("viewer", "views"))


def test_counts_views_by_kind_of_viewer_and_day(client: Client, letter: ProgramLetter) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)

    signed_in(letter.user).get(page(letter))
    signed_in(clerk).get(page(letter))
    signed_in(LearnerFactory.create()).get(page(letter))
    client.get(page(letter))
    client.get(pdf(letter))
    client.head(page(letter))

    assert views_of(letter) == {Viewer.HOLDER: 1, Viewer.STAFF: 1, Viewer.OTHER: 3}
    assert set(LetterViewCount.objects.values_list("day", flat=True)) == {timezone.localdate()}
    assertContains(signed_in(letter.user).get("/letters/"), "Opened 3 times by others.")


def test_counts_each_day_for_itself(letter: ProgramLetter) -> None:
    for day in (1, 1, 2):
        services.count_view(letter_id=letter.pk, viewer=Viewer.OTHER, day=date(2025, 6, day))

    counted = LetterViewCount.objects.order_by("day").values_list("day__day", "views")
    assert list(counted) == [(1, 2), (2, 1)]


def test_counts_no_view_of_what_is_not_shown(client: Client, letter: ProgramLetter) -> None:
    services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT, reason=REASON))

    client.get(page(letter))
    client.get(pdf(letter))

    assert views_of(letter) == {}


def test_lists_ones_own_letters_only(letter: ProgramLetter) -> None:
    own = signed_in(letter.user).get("/letters/")
    others = signed_in(LearnerFactory.create()).get("/letters/")

    assertContains(own, page(letter))
    assertNotContains(others, page(letter))
    assertContains(others, "You have no letter yet.")


def test_sends_strangers_to_sign_in_before_the_list(client: Client) -> None:
    assert client.get("/letters/").headers["Location"] == "/accounts/login/?next=/letters/"


def test_pictures_are_served_for_ever(client: Client) -> None:
    upload = BytesIO()
    Image.new("RGB", (40, 20), "navy").save(upload, "PNG")
    picture = services.save_picture(upload.getvalue())

    response = client.get(f"/letter/picture/{picture.sha256}.png")

    assert response["Content-Type"] == "image/png"
    assert response.content == bytes(picture.content)
    assert "immutable" in response["Cache-Control"]
    assert response["X-Robots-Tag"] == "noindex"
    assert services.save_picture(upload.getvalue()) == picture
