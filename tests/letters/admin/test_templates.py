"""Drafts of what letters say."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from letters.enums import TemplateStatus
from letters.models import LetterSignatory, ProgramLetterTemplate
from programs.models import Program
from tests.letters.admin.desk import post, staff, url
from tests.programs.factories import AT

pytestmark = pytest.mark.django_db


def draft_fields(program: Program, **fields: Any) -> dict[str, Any]:
    return {
        "program": program.pk,
        "text": "Well done.",
        "signatories-TOTAL_FORMS": "1",
        "signatories-INITIAL_FORMS": "0",
        "signatories-0-position": "0",
        "signatories-0-name": "Grace Hopper",
        "signatories-0-title_line_1": "Dean",
        **fields,
    }


WRITER = ("add_programlettertemplate", "change_programlettertemplate", "add_lettersignatory")


def test_a_draft_gets_the_next_revision(program: Program) -> None:
    client = staff(*WRITER, "view_program")
    for _ in range(2):
        post(client, url("programlettertemplate_add"), **draft_fields(program))

    drafts = ProgramLetterTemplate.objects.order_by("pk")
    assert [(draft.revision, draft.status) for draft in drafts] == [(1, "draft"), (2, "draft")]
    assert [s.name for s in LetterSignatory.objects.all()] == ["Grace Hopper"] * 2


def test_a_draft_is_edited(program: Program) -> None:
    draft = ProgramLetterTemplate.objects.create(program=program, revision=1, text="Old")
    client = staff("change_programlettertemplate")

    post(
        client,
        url("programlettertemplate_change", draft.pk),
        **draft_fields(program, text="New", status="published", revision="9"),
    )

    draft.refresh_from_db()
    assert (draft.text, draft.status, draft.revision) == ("New", "draft", 1)


@pytest.mark.parametrize(
    ("name", "size", "error"),
    [("logo.html", 10, "not allowed"), ("logo.png", 1_000_001, "larger than 1 MB")],
)
def test_takes_only_small_pictures(program: Program, name: str, size: int, error: str) -> None:
    logo = SimpleUploadedFile(name, b"x" * size)

    page = post(
        staff(*WRITER), url("programlettertemplate_add"), **draft_fields(program, logo=logo)
    )

    assert error in page
    assert not ProgramLetterTemplate.objects.exists()


@pytest.mark.parametrize("status", [TemplateStatus.PUBLISHED, TemplateStatus.WITHDRAWN])
def test_what_was_published_is_only_looked_at(
    admin_client: Client, program: Program, status: TemplateStatus
) -> None:
    template = ProgramLetterTemplate.objects.create(
        program=program, revision=1, text="Old", status=status, published_at=AT
    )
    address = url("programlettertemplate_change", template.pk)

    response = admin_client.post(address, draft_fields(program, text="New"))

    template.refresh_from_db()
    assert response.status_code == 403
    assert admin_client.get(address).status_code == 200
    assert template.text == "Old"
    assert not LetterSignatory.objects.exists()


def test_no_template_is_deleted(admin_client: Client, program: Program) -> None:
    draft = ProgramLetterTemplate.objects.create(program=program, revision=1)

    response = admin_client.post(url("programlettertemplate_delete", draft.pk), {"post": "yes"})

    assert response.status_code == 403
    assert ProgramLetterTemplate.objects.filter(pk=draft.pk).exists()
