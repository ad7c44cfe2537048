"""Drafts of what letters say: written with pictures and signatories, and never after publication."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from credentials_portal.accounts.models import User
from letters import services
from letters.models import LetterPicture, LetterSignatory, ProgramLetterTemplate
from programs.models import CourseRun, Program
from tests.letters.admin.desk import numbers, post, staff, text, url
from tests.letters.conftest import Statements
from tests.letters.documents.pictures import file_of
from tests.letters.factories import by_at, graduates, issue, one_course_program, publish_text, rows
from tests.programs.factories import AT

pytestmark = pytest.mark.django_db

WRITER = (
    *("add_programlettertemplate", "change_programlettertemplate"),
    *("add_lettersignatory", "change_lettersignatory", "delete_lettersignatory"),
)
ADD = "programlettertemplate_add"
TEXTS = ("letters_programlettertemplate", "letters_lettersignatory")


def png(size: tuple[int, int] = (40, 20)) -> bytes:
    return file_of(Image.new("RGB", size, "navy"))


def picture(name: str = "logo.png", **fields: Any) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, png(**fields), "image/png")


def signatories(*given: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """The part of a form about signatories; the first `initial` are there already."""
    fields = {
        "signatories-TOTAL_FORMS": str(len(given)),
        "signatories-INITIAL_FORMS": str(initial),
    }
    for number, each in enumerate(given):
        whole = {"name": "Grace Hopper", "title_line_1": "Dean", **each}
        fields |= {f"signatories-{number}-{name}": value for name, value in whole.items()}
    return fields


def fields_of(template: ProgramLetterTemplate, **fields: Any) -> dict[str, Any]:
    """What the form of a draft sends back, unless it is told otherwise."""
    present = [
        {
            "id": each.pk,
            "name": each.name,
            "title_line_1": each.title_line_1,
            "position": each.position,
            "signature-shown": each.signature_id or "",
        }
        for each in template.signatories.all()
    ]
    return {
        "seen": template.modified.isoformat(),
        "header": template.header,
        "text": template.text,
        "footer": template.footer,
        "logo-shown": template.logo_id or "",
        **signatories(*present, initial=len(present)),
        **fields,
    }


@pytest.fixture
def draft(program: Program) -> ProgramLetterTemplate:
    draft = ProgramLetterTemplate(program=program, text="Well done, {name}.")
    services.add_draft(draft, by=by_at(AT))
    LetterSignatory.objects.create(template=draft, position=1, name="Ann", title_line_1="Dean")
    draft.refresh_from_db()
    return draft


def change(template: ProgramLetterTemplate) -> str:
    return url("programlettertemplate_change", template.pk)


# --- Writing -----------------------------------------------------------------------------------


def test_a_draft_gets_the_next_revision(program: Program) -> None:
    client = staff(*WRITER, "view_program")
    for number in (1, 2):
        sent = {"program": program.pk, "text": f"Text {number}.", **signatories({})}
        post(client, url(ADD), **sent)

    drafts = ProgramLetterTemplate.objects.order_by("pk")
    assert [(draft.revision, draft.status, draft.text) for draft in drafts] == [
        (1, "draft", "Text 1."),
        (2, "draft", "Text 2."),
    ]
    assert [each.name for each in LetterSignatory.objects.all()] == ["Grace Hopper"] * 2


def test_a_draft_is_edited_with_history(draft: ProgramLetterTemplate) -> None:
    client = staff(*WRITER)

    post(client, change(draft), **fields_of(draft, text="New", status="published", revision="9"))

    draft.refresh_from_db()
    newest, first = draft.history.order_by("-history_id")
    assert (draft.text, draft.status, draft.revision) == ("New", "draft", 1)
    assert (first.history_type, newest.history_type, newest.text) == ("+", "~", "New")
    assert newest.history_user == User.objects.get(pk=client.session["_auth_user_id"])
    assert newest.cause == "admin"
    page = text(client.get(url("programlettertemplate_history", draft.pk)))
    assert str(newest.history_user) in page
    entry = url("programlettertemplate_simple_history", draft.pk, first.history_id)
    assert client.get(entry).status_code == 200


@pytest.mark.parametrize(
    ("field", "words", "problem"),
    [
        ("text", "Dear {nome},", "There is no placeholder {nome}"),
        ("header", "{name", "A curly bracket stands alone"),
        ("footer", "x" * 10_001, "The text has 10001 characters"),
    ],
)
def test_says_at_the_field_what_is_wrong(
    draft: ProgramLetterTemplate, field: str, words: str, problem: str
) -> None:
    before = rows(*TEXTS)

    response = staff(*WRITER).post(change(draft), fields_of(draft, **{field: words}))

    assert problem in str(response.context["adminform"].form.errors[field])
    assert words in text(response)
    assert rows(*TEXTS) == before


def test_an_unfinished_draft_is_kept(program: Program) -> None:
    sent = {"program": program.pk, "text": "", **signatories()}

    page = post(staff(*WRITER, "view_program"), url(ADD), **sent, _continue="1")

    assert ProgramLetterTemplate.objects.get().text == ""
    assert "It says nothing: the text is empty." in page
    assert "There is no logo." in page


def test_explains_how_to_write(draft: ProgramLetterTemplate) -> None:
    for address in (url(ADD), change(draft)):
        page = text(staff(*WRITER, "view_program").get(address))
        for words in ("&#123;name&#125;", "&#123;program&#125;", "&#123;date&#125;", "**strong**"):
            assert words in page


# --- Pictures ----------------------------------------------------------------------------------


def test_a_logo_is_stored_kept_replaced_and_removed(draft: ProgramLetterTemplate) -> None:
    client, logos = staff(*WRITER), []
    for choice in (
        {"logo": picture(size=(40, 20))},
        {},
        {"logo": picture(size=(60, 20))},
        {"logo-remove": "on"},
    ):
        post(client, change(draft), **fields_of(draft, **choice))
        draft.refresh_from_db()
        logos.append(draft.logo and (draft.logo.width, draft.logo.height))

    assert logos == [(40, 20), (40, 20), (60, 20), None]


def test_shows_the_present_pictures(draft: ProgramLetterTemplate) -> None:
    client = staff(*WRITER)
    sent = fields_of(draft, logo=picture())
    post(client, change(draft), **sent | {"signatories-0-signature": picture(size=(30, 10))})
    draft.refresh_from_db()
    signature = draft.signatories.get().signature

    page = text(client.get(change(draft)))

    assert draft.logo
    assert signature
    for shown in (draft.logo, signature):
        assert f'src="/letter/picture/{shown.sha256}.png"' in page
    assert 'name="logo-remove"' in page


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("logo.html", b"<script>", "This is not a PNG or JPEG picture."),
        ("logo.png", b"x" * 1_000_001, "larger than 1 MB"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG or JPEG"),
        ("logo.png", png()[:60], "damaged"),
        ("logo.png", b"", "not a PNG or JPEG"),
    ],
)
def test_takes_only_pictures(
    draft: ProgramLetterTemplate, name: str, content: bytes, error: str
) -> None:
    before = rows(*TEXTS)

    response = staff(*WRITER).post(
        change(draft), fields_of(draft, logo=SimpleUploadedFile(name, content))
    )

    assert error in str(response.context["adminform"].form.errors["logo"])
    assert rows(*TEXTS) == before
    assert not LetterPicture.objects.exists()


def test_an_upload_is_not_lost_to_an_error_elsewhere(draft: ProgramLetterTemplate) -> None:
    client = staff(*WRITER)

    refused = client.post(change(draft), fields_of(draft, text="{nome}", logo=picture()))
    stored = LetterPicture.objects.get()
    sent = fields_of(draft, **{"logo-shown": stored.sha256})
    post(client, change(draft), **sent)

    assert f'value="{stored.sha256}"' in text(refused)
    draft.refresh_from_db()
    assert draft.logo == stored


@pytest.mark.parametrize("shown", ["0" * 64, "../../etc/passwd", "\0", "x" * 500])
def test_a_picture_that_never_was_is_none(draft: ProgramLetterTemplate, shown: str) -> None:
    response = staff(*WRITER).post(change(draft), fields_of(draft, **{"logo-shown": shown}))

    draft.refresh_from_db()
    assert response.status_code in {200, 302}
    assert draft.logo is None


# --- Signatories -------------------------------------------------------------------------------


def test_signatories_sign_in_their_order(draft: ProgramLetterTemplate) -> None:
    (ann,) = draft.signatories.all()
    sent = fields_of(
        draft,
        **signatories(
            {"id": ann.pk, "name": "Ann", "position": "3"},
            {"name": "Last", "position": ""},
            {"name": "First", "position": "1"},
            {"name": "", "title_line_1": "", "position": ""},
            initial=1,
        ),
    )

    post(staff(*WRITER), change(draft), **sent)

    signed = draft.signatories.order_by("position", "pk").values_list("name", "position")
    assert list(signed) == [("First", 1), ("Ann", 3), ("Last", 4)]


def test_a_signatory_is_removed(draft: ProgramLetterTemplate) -> None:
    sent = fields_of(draft) | {"signatories-0-DELETE": "on"}

    post(staff(*WRITER), change(draft), **sent)

    assert not draft.signatories.exists()


def test_at_most_six_sign(draft: ProgramLetterTemplate) -> None:
    before = rows(*TEXTS)
    sent = fields_of(draft, **signatories(*[{"name": f"N{n}"} for n in range(8)]))

    page = text(staff(*WRITER).post(change(draft), sent))

    assert "Please submit at most 6 forms" in page
    assert rows(*TEXTS) == before


def test_there_is_room_for_a_signatory_without_javascript(draft: ProgramLetterTemplate) -> None:
    client = staff(*WRITER, "view_program")

    assert 'name="signatories-1-name"' in text(client.get(change(draft)))
    assert 'name="signatories-1-name"' in text(client.get(url(ADD)))


# --- Two at once -------------------------------------------------------------------------------


def test_a_stale_form_is_asked_again_and_loses_nothing(draft: ProgramLetterTemplate) -> None:
    stale = fields_of(draft, text="Mine")
    post(staff(*WRITER), change(draft), **fields_of(draft, text="Theirs"))
    client = staff(*WRITER)

    refused = client.post(change(draft), stale)
    draft.refresh_from_db()
    kept = draft.text
    form = refused.context["adminform"].form
    post(client, change(draft), **stale | {"seen": form["seen"].value()})

    draft.refresh_from_db()
    assert "Somebody else saved this draft" in text(refused)
    assert (form["text"].value(), kept, draft.text) == ("Mine", "Theirs", "Mine")


@pytest.mark.parametrize("seen", ["", "rubbish", "2025-13-45T00:00:00+00:00", "\0"])
def test_a_form_that_saw_nothing_is_stale(draft: ProgramLetterTemplate, seen: str) -> None:
    before = rows(*TEXTS)

    response = staff(*WRITER).post(change(draft), fields_of(draft, text="Mine", seen=seen))

    assert response.status_code == 200
    assert rows(*TEXTS) == before


@pytest.mark.parametrize("status", ["published", "withdrawn"])
def test_what_was_published_meanwhile_is_not_edited(
    draft: ProgramLetterTemplate, status: str
) -> None:
    sent = fields_of(draft, text="Mine <b>")
    services.publish_template(template_id=draft.pk, by=by_at(AT))
    if status == "withdrawn":
        services.withdraw_template(template_id=draft.pk, by=by_at(AT))
    before = rows(*TEXTS)
    client = staff(*WRITER)

    response = client.post(change(draft), sent)

    assert response.status_code == 409
    assert f"this revision is {status}" in text(response)
    assert "Mine &lt;b&gt;</textarea>" in text(response)
    assert client.get(change(draft)).status_code == 200
    assert rows(*TEXTS) == before


def test_not_even_a_superuser_edits_what_was_published(
    admin_client: Client, draft: ProgramLetterTemplate
) -> None:
    services.publish_template(template_id=draft.pk, by=by_at(AT))
    before = rows(*TEXTS)

    response = admin_client.post(change(draft), fields_of(draft, text="Mine"))

    assert response.status_code == 409
    assert rows(*TEXTS) == before


def test_no_template_is_deleted(admin_client: Client, draft: ProgramLetterTemplate) -> None:
    address = url("programlettertemplate_delete", draft.pk)

    response = admin_client.post(address, {"post": "yes"})

    assert response.status_code == 403
    assert ProgramLetterTemplate.objects.filter(pk=draft.pk).exists()


# --- Looking -----------------------------------------------------------------------------------


def test_who_may_only_look_gets_no_form(draft: ProgramLetterTemplate) -> None:
    page = text(staff().get(change(draft)))

    assert "Well done, {name}." in page
    assert "Ann" in page
    for control in ("<textarea", 'type="file"', "New draft from", "Publish…"):
        assert control not in page
    assert staff().post(change(draft), fields_of(draft)).status_code == 403


def test_a_published_text_tells_who_when_and_how_many(program: Program, run: CourseRun) -> None:
    issue(program, *graduates(run, 2))
    template = publish_text(program)

    page = text(staff("publish_letter_template").get(change(template)))

    assert "2 letters are shown with it." in page
    assert "Withdraw…" in page
    assert "Publish…" not in page


def test_a_withdrawn_text_tells_who_and_why(program: Program) -> None:
    template = publish_text(program)
    who = User.objects.create(username="rita")
    by = by_at(AT, actor=who, reason="A <wrong> name.")
    services.withdraw_template(template_id=template.pk, by=by)

    page = text(staff("publish_letter_template").get(change(template)))

    assert "A &lt;wrong&gt; name." in page
    assert "by rita" in page
    assert "Withdraw…" not in page


def test_the_list_counts_letters_and_stops_counting(
    program: Program, run: CourseRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(program, *graduates(run, 3))
    publish_text(program)
    address = url("programlettertemplate_changelist")

    few = text(staff().get(address))
    monkeypatch.setattr("letters.admin.templates.MOST_COUNTED", 2)
    many = text(staff().get(address))

    assert 'class="field-pinned_letters' in few
    assert ">3<" in few.replace("\n", "").replace(" ", "")
    assert ">2+<" in many.replace("\n", "").replace(" ", "")


def test_the_list_needs_the_same_statements_for_any_number(statements: Statements) -> None:
    client, counts = staff(), []
    for number in (1, 12):
        for _ in range(number):
            publish_text(one_course_program()[0])
        client.get(url("programlettertemplate_changelist"))
        with statements.counted() as asked:
            client.get(url("programlettertemplate_changelist"))
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_the_page_needs_the_same_statements_for_any_number_of_signatories(
    draft: ProgramLetterTemplate, statements: Statements
) -> None:
    services.publish_template(template_id=draft.pk, by=by_at(AT))
    counts = []
    for number in (1, 5):
        template = ProgramLetterTemplate(program=draft.program, text="x")
        services.add_draft(template, by=by_at(AT))
        for _ in range(number):
            LetterSignatory.objects.create(
                template=template,
                name=f"N{next(numbers)}",
                title_line_1="Dean",
                signature=services.save_picture(png(size=(20 + next(numbers), 10))),
            )
        services.publish_template(template_id=template.pk, by=by_at(AT))
        client = staff()
        client.get(change(template))
        with statements.counted() as asked:
            assert client.get(change(template)).status_code == 200
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_copies_a_revision_into_a_new_draft(program: Program) -> None:
    published = publish_text(program, "Well done.", header="H")
    client = staff(*WRITER)
    address = url("programlettertemplate_copy", published.pk)

    looked = client.get(address)
    page = post(client, address)

    draft = ProgramLetterTemplate.objects.get(status="draft")
    assert looked.status_code == 302
    assert (draft.revision, draft.header, draft.signatories.get().name) == (2, "H", "Grace Hopper")
    assert "This draft says what revision 1 says." in page
    assert draft.history.get().history_user_id == int(client.session["_auth_user_id"])


def test_copying_needs_the_permission_to_add(program: Program) -> None:
    published = publish_text(program)

    response = staff("change_programlettertemplate").post(
        url("programlettertemplate_copy", published.pk)
    )

    assert response.status_code == 403
    assert ProgramLetterTemplate.objects.count() == 1


def test_an_unknown_text_is_no_error() -> None:
    client = staff("publish_letter_template", *WRITER)

    for page in ("preview", "preview_pdf", "publish", "withdraw", "copy"):
        assert client.get(url(f"programlettertemplate_{page}", 99)).status_code == 404
    assert client.get(url("programlettertemplate_change", "abc")).status_code == 302
