"""Who can see a learner's record: links made, changed, replaced, revoked, and listed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from credentials_portal.accounts.models import User
from programs.enums import ShareEnd, ShareKind
from programs.models import Program, SharedProgramRecord
from programs.services.sharing import count_view
from tests.programs.factories import (
    AT,
    CreditRequestFactory,
    PathwayFactory,
    ProgramFactory,
    SharedRecordFactory,
)
from tests.programs.pages.now import earn, learner, program_of, run_of, signed_in, stranger, words

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def counts() -> Iterator[None]:
    """What was counted against the limits is forgotten."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada() -> User:
    return learner(full_name="Ada Lovelace", email="ada@example.org")


@pytest.fixture
def program(ada: User) -> Program:
    run = run_of("Statistics")
    program = program_of(ada, run, title="Data Science")
    earn(ada, run)
    return program


def page(program: Program) -> str:
    return f"/programs/{program.uuid}/share/"


def of_link(link: SharedProgramRecord, act: str) -> str:
    return f"{page(link.program)}{link.uuid}/{act}/"


def make(browser: Client, program: Program, **fields: Any) -> Any:
    return browser.post(page(program), {"lifetime": "90", **fields}, follow=True)


def link_of(ada: User, program: Program, **fields: Any) -> SharedProgramRecord:
    link: SharedProgramRecord = SharedRecordFactory.create(user=ada, program=program, **fields)
    return link


def is_dead(link: SharedProgramRecord) -> bool:
    """For everybody, at once: its page, its JSON and its CSV."""
    statuses = [
        stranger().get(path).status_code
        for path in (
            f"/programs/shared/{link.uuid}/",
            f"/records/api/v1/program_records/{link.uuid}/?is_public=true",
            f"/records/programs/shared/{link.uuid.hex}/csv",
        )
    ]
    assert statuses in ([410, 404, 404], [200, 200, 200])
    return statuses == [410, 404, 404]


def test_nothing_is_shared_until_the_learner_makes_a_link(ada: User, program: Program) -> None:
    said = words(signed_in(ada).get(page(program)))

    assert "Only you. To show it to somebody, make a link." in said
    assert "None. When you ask an institution for credit" in said
    assert "no longer work" not in said


@pytest.mark.parametrize("days", [7, 30, 90, 365])
def test_a_link_is_made_for_as_long_as_was_chosen(ada: User, program: Program, days: int) -> None:
    before = timezone.now()
    response = make(signed_in(ada), program, lifetime=str(days))

    link = SharedProgramRecord.objects.get()
    assert link.expires_at
    assert before < link.expires_at - days * DAY < timezone.now()
    assert (link.user, link.program, link.kind) == (ada, program, ShareKind.LINK)
    assert (link.show_email, link.show_username) == (False, False)
    newest = link.history.latest("history_id")
    assert (newest.history_user, newest.cause) == (ada, "pages of records")
    said = words(response)
    assert "The link is made." in said
    assert "your name and the whole record; not your e-mail address" in said
    assert "by nobody else" in said


def test_a_link_without_an_end_shows_what_was_chosen(ada: User, program: Program) -> None:
    response = make(signed_in(ada), program, lifetime="never", show_email="on", show_username="on")

    link = SharedProgramRecord.objects.get()
    assert (link.expires_at, link.show_email, link.show_username) == (None, True, True)
    assert "works until you revoke it" in words(response)
    assert f"/records/programs/shared/{link.uuid.hex}/" in response.content.decode()


def test_a_link_needs_a_lifetime_that_is_offered(ada: User, program: Program) -> None:
    browser = signed_in(ada)

    none = browser.post(page(program))
    odd = browser.post(page(program), {"lifetime": "99999999999"})

    assert "Choose how long the link works." in words(none)
    assert "Error:" in none.content.decode().partition("</title>")[0]
    assert odd.status_code == 200
    assert not SharedProgramRecord.objects.exists()


def test_making_one_twice_leaves_the_first(ada: User, program: Program) -> None:
    browser = signed_in(ada)
    make(browser, program, lifetime="7")

    again = make(browser, program, lifetime="365", show_email="on")

    link = SharedProgramRecord.objects.get()
    assert not link.show_email
    assert "There is a link already. It was left as it was." in words(again)


def test_links_are_counted_against_the_limit_but_looking_is_not(
    ada: User, program: Program, settings: Settings
) -> None:
    settings.RECORDS_RATE_LIMIT = "1/min"
    browser = signed_in(ada)
    assert [browser.get(page(program)).status_code for _ in range(3)] == [200] * 3
    make(browser, program)

    refused = make(browser, program)

    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert "Too many requests" in words(refused)


def test_replacing_counts_as_making_one(ada: User, program: Program, settings: Settings) -> None:
    settings.RECORDS_RATE_LIMIT = "1/min"
    browser = signed_in(ada)
    make(browser, program)
    link = SharedProgramRecord.objects.get()

    refused = browser.post(of_link(link, "replace"))

    assert refused.status_code == 429
    assert not is_dead(link)


def test_views_by_others_are_told(ada: User, program: Program) -> None:
    link = link_of(ada, program)
    for _ in range(3):
        count_view(shared_record_id=link.pk, at=AT)

    assert "3 times by others, last on 1 June 2025" in words(signed_in(ada).get(page(program)))


def test_revoking_says_first_what_happens_and_then_the_link_is_dead(
    ada: User, program: Program
) -> None:
    link = link_of(ada, program)
    browser = signed_in(ada)

    question = words(browser.get(of_link(link, "revoke")))
    was_dead = is_dead(link)
    done = browser.post(of_link(link, "revoke"), follow=True)

    assert "It stops working at once, for everybody who has it." in question
    assert not was_dead
    assert is_dead(link)
    link.refresh_from_db()
    assert link.end == ShareEnd.REVOKED
    said = words(done)
    assert "The link was revoked. It no longer works." in said
    assert "Links that no longer work" in said
    assert "you revoked it" in said


def test_replacing_kills_the_old_link_and_makes_one_with_the_same_choices(
    ada: User, program: Program
) -> None:
    expires_at = timezone.now() + 7 * DAY
    old = link_of(ada, program, show_email=True, expires_at=expires_at)
    browser = signed_in(ada)

    question = words(browser.get(of_link(old, "replace")))
    done = words(browser.post(of_link(old, "replace"), follow=True))

    new = SharedProgramRecord.objects.get(revoked_at=None)
    assert (new.show_email, new.show_username, new.expires_at) == (True, False, expires_at)
    assert "The old address stops working at once" in question
    assert is_dead(old)
    assert not is_dead(new)
    assert "The link was replaced. The old one no longer works." in done
    assert "you replaced it by another" in done


def test_a_link_can_be_changed_without_another_address(ada: User, program: Program) -> None:
    expires_at = timezone.now() + 7 * DAY
    link = link_of(ada, program, show_email=True, expires_at=expires_at)
    browser = signed_in(ada)

    form = browser.get(of_link(link, "change")).content.decode()
    kept = browser.post(of_link(link, "change"), {"lifetime": "kept"}, follow=True)
    link.refresh_from_db()
    first = (link.expires_at, link.show_email)
    browser.post(of_link(link, "change"), {"lifetime": "never", "show_username": "on"})
    link.refresh_from_db()

    assert 'name="show_email" id="id_show_email" checked' in form
    assert "The link was changed." in words(kept)
    assert first == (expires_at, False)
    assert (link.expires_at, link.show_email, link.show_username) == (None, False, True)
    assert not is_dead(link)


@pytest.mark.parametrize("act", ["change", "replace", "revoke"])
def test_a_dead_link_is_left_as_it_is(ada: User, program: Program, act: str) -> None:
    link = link_of(ada, program, revoked=True)
    before = SharedProgramRecord.objects.values().get()
    browser = signed_in(ada)

    for method in (browser.get, browser.post):
        told = method(of_link(link, act), {"lifetime": "never"}, follow=True)
        assert "This link no longer works. Nothing was changed." in words(told)

    assert SharedProgramRecord.objects.values().get() == before


def test_an_expired_link_is_told_among_the_dead_and_another_can_be_made(
    ada: User, program: Program
) -> None:
    expired = link_of(ada, program, expires_at=timezone.now())
    browser = signed_in(ada)

    before = words(browser.get(page(program)))
    make(browser, program)

    assert "its time was over" in before
    assert "Make the link" in before
    assert is_dead(expired)
    assert SharedProgramRecord.objects.filter(revoked_at=None).count() == 1


def test_links_of_institutions_are_told_and_end_with_the_request(
    ada: User, program: Program
) -> None:
    pathway = PathwayFactory.create(name="MSc", org_name="Northbridge")
    link = link_of(ada, program, of_request=True)
    asked = CreditRequestFactory.create(
        user=ada, program=program, pathway=pathway, shared_record=link
    )
    browser = signed_in(ada)

    response = browser.get(page(program))

    said = words(response)
    assert "Northbridge works Pathway MSc Shows your name, e-mail address and username" in said
    assert f'href="/credit-requests/{asked.uuid}/withdraw/"' in response.content.decode()
    for act in ("change", "replace", "revoke"):
        path = of_link(link, act)
        assert browser.get(path).status_code == 404
        assert browser.post(path, {"lifetime": "never"}).status_code == 404
    assert not is_dead(link)


def test_a_learners_own_link_and_an_institutions_live_apart(ada: User, program: Program) -> None:
    of_request = link_of(ada, program, of_request=True)
    CreditRequestFactory.create(user=ada, program=program, shared_record=of_request)
    own = link_of(ada, program)

    signed_in(ada).post(of_link(own, "revoke"))

    assert is_dead(own)
    assert not is_dead(of_request)


def test_nobody_else_sees_or_touches_them(ada: User, program: Program) -> None:
    link = link_of(ada, program)
    paths = [page(program), *(of_link(link, act) for act in ("change", "replace", "revoke"))]
    other = learner()
    program_of(other, title="Another")
    before = SharedProgramRecord.objects.values().get()

    for path in paths:
        for method in ("get", "post"):
            anonymous = getattr(stranger(), method)(path, {"lifetime": "never"})
            assert anonymous.status_code == 302
            assert anonymous["Location"].startswith("/accounts/login/")
            for person in (other, learner(is_staff=True, is_superuser=True)):
                refused = getattr(signed_in(person), method)(path, {"lifetime": "never"})
                assert refused.status_code == 404
    assert SharedProgramRecord.objects.values().get() == before


def test_a_link_is_found_under_its_own_program_only(ada: User, program: Program) -> None:
    link = link_of(ada, program)
    other = program_of(ada, title="Another")

    response = signed_in(ada).post(f"/programs/{other.uuid}/share/{link.uuid}/revoke/")

    assert response.status_code == 404
    assert not is_dead(link)


def test_what_is_not_there_is_not_found(ada: User, program: Program) -> None:
    browser = signed_in(ada)

    paths = [
        f"/programs/{uuid4()}/share/",
        f"{page(program)}{uuid4()}/revoke/",
        page(ProgramFactory.create()),
    ]

    assert [browser.get(path).status_code for path in paths] == [404] * 3


def test_who_takes_no_part_any_more_still_rules_over_their_links(ada: User) -> None:
    link = link_of(ada, ProgramFactory.create())
    browser = signed_in(ada)

    assert browser.get(page(link.program)).status_code == 200
    browser.post(of_link(link, "revoke"))

    assert is_dead(link)


def test_four_statements_however_many_links(ada: User, program: Program) -> None:
    browser = signed_in(ada)

    def statements(links: int) -> int:
        for _ in range(links):
            dead = link_of(ada, program, revoked=True)
            count_view(shared_record_id=dead.pk, at=AT)
            CreditRequestFactory.create(user=ada, program=program)
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(page(program)).status_code == 200
        return len(queries)

    assert [statements(1), statements(20)] == [4, 4]
