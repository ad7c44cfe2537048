"""Staff ask for a learner: what goes to whom is shown first, and why they ask is kept."""

import pytest
from django.test import Client

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from programs.enums import CreditRequestSource, CreditRequestStatus
from programs.models import Pathway, Program, UserCreditPathway
from tests.programs.admin.desk import act, message_of, page, url, words
from tests.programs.factories import (
    LearnerFactory,
    PathwayFactory,
)

pytestmark = pytest.mark.django_db

MODEL = "usercreditpathway"


def test_the_page_shows_first_what_goes_to_whom(
    registrar: Client, ada: User, program: Program, pathway: Pathway
) -> None:
    chosen = act(registrar, "ask", learner="ADA@x.org", program=program.pk)

    assert chosen.redirect_chain == [(url(f"{MODEL}_ask_for", ada.pk, program.pk), 302)]
    shown = words(chosen)
    assert "ada asks for credit for Data Science, and you send it for them." in shown
    assert "in the learner's name (Ada Lovelace, ada@x.org)" in shown
    assert "Masters, Harbour University: desk@harbour.example" in shown
    assert "The learner gets a copy that says that you asked and why" in shown
    assert not UserCreditPathway.objects.exists()


def test_a_request_for_a_learner_keeps_who_asked_and_why(
    registrar: Client, ada: User, program: Program, pathway: Pathway
) -> None:
    done = act(
        registrar,
        *("ask_for", ada.pk, program.pk),
        pathway=pathway.pk,
        reason="She cannot sign in this week.",
    )

    asked = UserCreditPathway.objects.get()
    assert done.redirect_chain == [(url(f"{MODEL}_change", asked.pk), 302)]
    assert (asked.user, asked.program, asked.pathway) == (ada, program, pathway)
    assert (asked.source, asked.status) == (CreditRequestSource.STAFF, CreditRequestStatus.QUEUED)
    assert asked.requested_by_id == int(registrar.session["_auth_user_id"])
    assert asked.on_behalf_reason == "She cannot sign in this week."
    assert message_of(asked).status == OutboxStatus.PENDING
    assert "“She cannot sign in this week.”" in words(done)


def test_a_second_click_sends_nothing_more(
    registrar: Client, ada: User, program: Program, pathway: Pathway
) -> None:
    fields = {"pathway": pathway.pk, "reason": "She asked."}
    act(registrar, "ask_for", ada.pk, program.pk, **fields)

    again = act(registrar, "ask_for", ada.pk, program.pk, **fields)

    assert "The same request was made a moment ago: this is that one." in words(again)
    assert OutboxMessage.objects.filter(kind="programs.credit_request").count() == 1


@pytest.mark.parametrize("missing", ["pathway", "reason"])
def test_nothing_is_sent_without_a_reason_or_an_addressee(
    registrar: Client, ada: User, program: Program, pathway: Pathway, missing: str
) -> None:
    given = {"pathway": pathway.pk, "reason": "She asked.", missing: ""}

    refused = act(registrar, "ask_for", ada.pk, program.pk, **given)

    assert "Nothing was changed." in words(refused)
    assert not UserCreditPathway.objects.exists()


def test_a_pathway_that_takes_no_requests_is_not_offered(
    registrar: Client, ada: User, program: Program, pathway: Pathway
) -> None:
    other = PathwayFactory.create()
    refused = act(registrar, "ask_for", ada.pk, program.pk, pathway=other.pk, reason="She asked.")
    assert "is not one of the available choices" in words(refused)

    Pathway.objects.filter(pk=pathway.pk).update(status="retired")
    shown = page(registrar, url(f"{MODEL}_ask_for", ada.pk, program.pk))

    assert "No pathway takes requests about Data Science: nothing can be sent." in shown
    assert not UserCreditPathway.objects.exists()


def test_an_institution_that_takes_completed_programs_refuses_others(
    registrar: Client, ada: User, program: Program, pathway: Pathway
) -> None:
    Pathway.objects.filter(pk=pathway.pk).update(requires_completion=True)

    refused = act(registrar, "ask_for", ada.pk, program.pk, pathway=pathway.pk, reason="She asked.")

    assert "The institution takes completed programs only." in words(refused)
    assert not UserCreditPathway.objects.exists()


def test_a_learner_whom_nobody_knows_or_who_left_is_not_found(
    registrar: Client, program: Program, pathway: Pathway
) -> None:
    gone = LearnerFactory.create(is_active=False)

    for name in ("nobody", gone.username):
        refused = act(registrar, "ask", learner=name, program=program.pk)
        assert "There is no learner of this name or address." in words(refused)
    address = url(f"{MODEL}_ask_for", gone.pk, program.pk)
    assert registrar.get(address).status_code == 404
