"""Who may look, who may decide, and that nobody edits by hand."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from credentials_portal.accounts.models import User
from letters import services
from letters.models import (
    LetterRevalidation,
    ProgramLetter,
    ProgramLetterConfiguration,
    ProgramLetterTemplate,
)
from tests.letters.admin.desk import ask, held_run, numbers, page_of, signed_in, staff, text, url
from tests.letters.factories import by_at, planned, rows
from tests.programs.factories import AT

pytestmark = pytest.mark.django_db


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
