"""The page on which a learner asks an institution for credit."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from programs.enums import PathwayStatus, ProgramStatus
from programs.models import Pathway, Program, SharedProgramRecord, UserCreditPathway
from tests.programs.factories import (
    CreditRequestFactory,
    ProgramCertificateFactory,
    ProgramFactory,
    pathway_of,
)
from tests.programs.pages.now import earn, learner, program_of, run_of, signed_in, stranger, words

pytestmark = pytest.mark.django_db

CONSENT = (
    "I agree that Credentials Portal sends my program record, with my name, my username and my"
    " e-mail address, to Northern University."
)


@pytest.fixture(autouse=True)
def _nobody_was_counted() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ann() -> User:
    return learner(username="ann", email="ann@x.org", full_name="Ann Ash")


@pytest.fixture
def program(ann: User) -> Program:
    """Ann has earned one of its two courses."""
    earned, open_ = run_of("Statistics"), run_of("Probability")
    program = program_of(ann, earned, open_, title="Data Science")
    earn(ann, earned, "0.87", letter_grade="B")
    return program


@pytest.fixture
def pathway(program: Program) -> Pathway:
    return pathway_of(
        program, name="MSc Data", org_name="Northern University", email="registrar@north.example"
    )


def page(program: Program) -> str:
    return f"/programs/{program.uuid}/credit/"


def agreed(client: Client, program: Program, pathway: Pathway) -> dict[str, Any]:
    """What the page's form holds once the learner has agreed."""
    html = client.get(page(program), {"pathway": pathway.pk}).content.decode()
    shown = html.partition('name="shown" value="')[2].partition('"')[0]
    return {"pathway": pathway.pk, "shown": shown, "consent": "on"}


def nothing_happened() -> bool:
    rows = (UserCreditPathway, SharedProgramRecord, OutboxMessage)
    return not any(model.objects.exists() for model in rows)


def test_tells_exactly_what_is_sent_to_whom(ann: User, program: Program, pathway: Pathway) -> None:
    Pathway.objects.update(contact_name="Office of Admissions")

    said = words(signed_in(ann).get(page(program)))

    assert "Ask Northern University for credit MSc Data" in said
    assert "To Northern University : Office of Admissions" in said
    assert "Your name Ann Ash" in said
    assert "Your e-mail address ann@x.org" in said
    assert "Your username ann" in said
    assert "made for this request" in said
    assert "Statistics" in said.partition("What they see today")[2]
    assert "87 % B 1 15 May 2024 earned" in said
    assert f"What you agree to {CONSENT} I agree Send my record to Northern University" in said
    assert "registrar@north.example" not in said
    assert "You have not completed this program. You can ask all the same" in said


def test_to_look_sends_nothing(ann: User, program: Program, pathway: Pathway) -> None:
    client = signed_in(ann)

    client.get(page(program))
    client.head(page(program), {"pathway": pathway.pk})

    assert nothing_happened()


def test_with_consent_the_request_is_made_with_the_words_that_were_shown(
    ann: User, program: Program, pathway: Pathway
) -> None:
    client = signed_in(ann)

    response = client.post(page(program), agreed(client, program, pathway), follow=True)

    asked = UserCreditPathway.objects.get()
    assert response.redirect_chain == [(f"/credit-requests/{asked.uuid}/", 302)]
    assert (asked.user, asked.pathway, asked.program) == (ann, pathway, program)
    assert (asked.source, asked.status, asked.was_completed) == ("web", "queued", False)
    assert asked.consent_text == CONSENT
    assert asked.requested_by == ann
    assert asked.history.get().cause == "pages of credit requests"
    assert "Your request to Northern University is on its way." in words(response)


def test_an_institutions_own_words_are_the_ones_to_agree_to(
    ann: User, program: Program, pathway: Pathway
) -> None:
    Pathway.objects.update(consent_text="Read my record,\nand <b>keep</b> it.")
    client = signed_in(ann)

    html = client.get(page(program)).content.decode()
    client.post(page(program), agreed(client, program, pathway))

    assert "Read my record,\nand &lt;b&gt;keep&lt;/b&gt; it." in html
    assert UserCreditPathway.objects.get().consent_text == "Read my record,\nand <b>keep</b> it."


def test_without_consent_nothing_is_sent(ann: User, program: Program, pathway: Pathway) -> None:
    client = signed_in(ann)
    given = agreed(client, program, pathway)
    del given["consent"]

    said = words(client.post(page(program), given))

    assert "Please look at this again Agree to it, or nothing is sent." in said
    assert nothing_happened()


def test_words_that_changed_meanwhile_are_to_be_read_again(
    ann: User, program: Program, pathway: Pathway
) -> None:
    client = signed_in(ann)
    given = agreed(client, program, pathway)
    Pathway.objects.update(consent_text="Sell my record.")

    response = client.post(page(program), given)

    assert "What you agree to was changed meanwhile. Nothing was sent" in words(response)
    assert "Sell my record." in words(response)
    assert " checked" not in response.content.decode()
    assert nothing_happened()
    assert client.post(page(program), agreed(client, program, pathway)).status_code == 302


def test_sent_twice_it_is_one_request(ann: User, program: Program, pathway: Pathway) -> None:
    client = signed_in(ann)
    given = agreed(client, program, pathway)

    first, second = (client.post(page(program), given, follow=True) for _ in range(2))

    assert UserCreditPathway.objects.count() == OutboxMessage.objects.count() == 1
    assert first.redirect_chain == second.redirect_chain
    assert "You had just asked: this is that request. It is sent once." in words(second)


def test_where_there_are_several_the_learner_chooses_one(
    ann: User, program: Program, pathway: Pathway
) -> None:
    other = pathway_of(program, name="BSc Data", org_name="Southern College")
    client = signed_in(ann)

    choice = client.get(page(program))
    chosen = client.get(page(program), {"pathway": other.pk})

    assert "Southern College BSc Data See what is sent" in words(choice)
    assert "Northern University MSc Data See what is sent" in words(choice)
    assert f'href="?pathway={other.pk}"' in choice.content.decode()
    assert "Ask Southern College for credit" in words(chosen)


def test_earlier_requests_are_told(ann: User, program: Program, pathway: Pathway) -> None:
    asked = CreditRequestFactory.create(user=ann, program=program, pathway=pathway)
    client = signed_in(ann)

    response = client.get(page(program))

    assert "You asked on 1 June 2025 : sent, not answered ." in words(response)
    assert f"/credit-requests/{asked.uuid}/" in response.content.decode()
    assert "Send my record to Northern University" in words(response)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": PathwayStatus.RETIRED},
        {"status": PathwayStatus.UNPUBLISHED},
        {"pathway_type": "industry"},
        {"email": ""},
    ],
    ids=["retired", "unpublished", "industry", "no address"],
)
def test_a_pathway_that_takes_no_requests_is_not_offered(
    ann: User, program: Program, pathway: Pathway, fields: dict[str, str]
) -> None:
    client = signed_in(ann)
    given = agreed(client, program, pathway)
    Pathway.objects.update(**fields)

    looked = client.get(page(program), {"pathway": pathway.pk})
    posted = client.post(page(program), given)

    for response in (looked, posted):
        assert response.status_code == 200
        assert "That institution takes no requests about this program" in words(response)
        assert "No institution takes records of this program at the moment." in words(response)
    assert nothing_happened()


@pytest.mark.parametrize("named", ["", "0", "999999999999999999999", "x", "1 OR 1=1"])
def test_what_is_no_pathway_of_the_program_is_not_asked(
    ann: User, program: Program, pathway: Pathway, named: str
) -> None:
    client = signed_in(ann)
    given = agreed(client, program, pathway) | {"pathway": named}

    said = words(client.post(page(program), given))

    assert "Nothing was sent." in said
    assert "Northern University" in said
    assert nothing_happened()


def test_an_institution_that_takes_completed_programs_says_what_is_missing(
    ann: User, program: Program, pathway: Pathway
) -> None:
    client = signed_in(ann)
    given = agreed(client, program, pathway)
    Pathway.objects.update(requires_completion=True)

    looked, posted = client.get(page(program)), client.post(page(program), given)

    for response in (looked, posted):
        assert "You cannot ask yet: Northern University takes completed programs" in words(response)
        assert "Send my record" not in words(response)
    assert nothing_happened()


def test_a_completed_program_may_be_sent_to_it(
    ann: User, program: Program, pathway: Pathway
) -> None:
    Pathway.objects.update(requires_completion=True)
    ProgramCertificateFactory.create(user=ann, program=program)
    client = signed_in(ann)

    client.post(page(program), agreed(client, program, pathway))

    assert UserCreditPathway.objects.get().was_completed


def test_until_the_cool_down_is_over_the_learner_reads_why_and_when(
    ann: User, program: Program, pathway: Pathway
) -> None:
    Pathway.objects.update(cooldown_days=7)
    client = signed_in(ann)
    given = agreed(client, program, pathway)
    client.post(page(program), given)
    a_day_ago = timezone.now() - timedelta(days=1)
    UserCreditPathway.objects.update(requested_at=a_day_ago)

    looked, posted = client.get(page(program)), client.post(page(program), given)

    until = a_day_ago + timedelta(days=7)
    for response in (looked, posted):
        said = words(response)
        assert "Northern University has your request, and your record has not changed" in said
        assert f"You can ask again from {until:%-d %B %Y, %H:%M} UTC" in said
        assert "Send my record" not in said
    assert UserCreditPathway.objects.count() == 1


def test_a_record_that_changed_lifts_the_cool_down(
    ann: User, program: Program, pathway: Pathway
) -> None:
    Pathway.objects.update(cooldown_days=7)
    client = signed_in(ann)
    client.post(page(program), agreed(client, program, pathway))
    UserCreditPathway.objects.update(requested_at=timezone.now() - timedelta(days=1))
    earn(ann, program.course_runs.get(course__title="Probability"))

    client.post(page(program), agreed(client, program, pathway))

    assert list(UserCreditPathway.objects.order_by("pk").values_list("number", flat=True)) == [1, 2]


def test_too_many_requests_in_a_month_are_refused_with_the_day(
    ann: User, program: Program, pathway: Pathway, settings: Settings
) -> None:
    settings.CREDIT_REQUESTS_PER_MONTH = 1
    ten_days_ago = timezone.now() - timedelta(days=10)
    CreditRequestFactory.create(user=ann, requested_at=ten_days_ago)

    said = words(signed_in(ann).get(page(program)))

    until = ten_days_ago + timedelta(days=30)
    assert "you have made as many requests within 30 days as the portal sends" in said
    assert f"You can ask again from {until:%-d %B %Y, %H:%M} UTC" in said


def test_who_posts_in_a_burst_is_told_to_wait(
    ann: User, program: Program, pathway: Pathway, settings: Settings
) -> None:
    settings.RECORDS_RATE_LIMIT = "2/min"
    client = signed_in(ann)

    statuses = [client.post(page(program), {"pathway": pathway.pk}).status_code for _ in range(3)]
    looked = client.get(page(program))

    assert statuses == [200, 200, 429]
    assert looked.status_code == 200
    assert nothing_happened()


def test_without_an_address_of_the_learner_the_page_says_what_that_means(
    program: Program, pathway: Pathway, ann: User
) -> None:
    User.objects.update(email="")

    said = words(signed_in(ann).get(page(program)))

    assert "Your e-mail address none: the portal knows none." in said


def test_only_who_takes_part_in_a_program_sees_its_page(
    ann: User, program: Program, pathway: Pathway
) -> None:
    other, staff = learner(), learner(is_staff=True, is_superuser=True)

    anonymous = stranger().get(page(program))

    assert anonymous.status_code == 302
    assert anonymous["Location"] == f"/accounts/login/?next={page(program)}"
    assert signed_in(other).get(page(program)).status_code == 404
    assert signed_in(staff).get(page(program)).status_code == 404
    assert signed_in(other).post(page(program), {"pathway": pathway.pk}).status_code == 404
    assert signed_in(ann).get(page(ProgramFactory.create())).status_code == 404
    assert signed_in(ann).get("/programs/not-a-uuid/credit/").status_code == 404
    assert nothing_happened()


def test_a_program_that_is_hidden_takes_no_requests(
    ann: User, program: Program, pathway: Pathway
) -> None:
    Program.objects.update(status=ProgramStatus.DELETED)

    said = words(signed_in(ann).get(page(program)))

    assert "No institution takes records of this program at the moment." in said


def test_names_from_outside_are_text(ann: User, program: Program, pathway: Pathway) -> None:
    hostile = "</bdi><script>alert(1)</script>"
    User.objects.filter(pk=ann.pk).update(full_name=hostile)
    Pathway.objects.update(name=hostile, org_name=hostile, contact_name=hostile)
    Program.objects.update(title=hostile)
    client = signed_in(ann)
    asked = CreditRequestFactory.create(user=ann, program=program, pathway=pathway)

    for address in (
        page(program),
        f"{page(program)}?pathway=0",
        "/credit-requests/",
        f"/credit-requests/{asked.uuid}/",
        f"/credit-requests/{asked.uuid}/withdraw/",
    ):
        html = client.get(address).content.decode()
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_statements_do_not_grow(ann: User, program: Program, pathway: Pathway) -> None:
    client = signed_in(ann)
    client.get(page(program))

    def counted() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page(program), {"pathway": pathway.pk}).status_code == 200
        return len(queries)

    first = counted()
    for number in range(1, 20):
        earn(ann, run_of(f"Course {number}"))
        CreditRequestFactory.create(user=ann, program=program, pathway=pathway, number=number)
        pathway_of(program)

    assert counted() == first == 8
