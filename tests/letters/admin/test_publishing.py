"""The pages on which a text is previewed, published and withdrawn."""

import re
from typing import Any

import pypdfium2
import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from PIL import Image

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from letters import services
from letters.models import LetterSignatory, ProgramLetter, ProgramLetterTemplate
from programs.models import CourseRun, Program
from tests.letters.admin.desk import numbers, page_of, post, signed_in, staff, text, url
from tests.letters.conftest import Statements
from tests.letters.documents.pictures import file_of
from tests.letters.factories import (
    HOUR,
    by_at,
    grade,
    graduates,
    imported,
    issue,
    one_course_program,
    publish_text,
    rows,
)
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db

PAGES = ("preview", "preview_pdf", "publish", "withdraw")
MAY_PUBLISH = "publish_letter_template"


@pytest.fixture
def draft(program: Program) -> ProgramLetterTemplate:
    draft = ProgramLetterTemplate(program=program, text="Well done, {name}.")
    services.add_draft(draft, by=by_at(AT))
    draft.refresh_from_db()
    return draft


def at(page: str, template: ProgramLetterTemplate) -> str:
    return url(f"programlettertemplate_{page}", template.pk)


def seen(template: ProgramLetterTemplate, failing: int = 0) -> str:
    return f"{template.modified.isoformat()} {failing}"


def words_of(response: Any) -> str:
    """What a page says, without its tags."""
    whole_words = re.sub(r"</?(bdi|wbr|a|span|strong|em)\b[^>]*>", "", text(response))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", whole_words))


def state() -> dict[str, str]:
    """What is kept of letters, their texts and mails."""
    kept = ("letters_", "core_outbox")
    return {table: digest for table, digest in rows().items() if table.startswith(kept)}


def shown(program: Program) -> int:
    return ProgramLetter.objects.filter(program=program).shown().count()


def words_of_pdf(content: bytes) -> str:
    document = pypdfium2.PdfDocument(content)
    try:
        return " ".join(page.get_textpage().get_text_range() for page in document)
    finally:
        document.close()


# --- Who may -----------------------------------------------------------------------------------


def test_who_may_preview_publish_and_withdraw(draft: ProgramLetterTemplate) -> None:
    published = publish_text(one_course_program()[0])
    deaf = User.objects.create(username=f"deaf{next(numbers)}", is_staff=True)
    deaf.user_permissions.set(Permission.objects.filter(codename=MAY_PUBLISH))
    people = {
        "stranger": Client(headers={"host": "localhost"}),
        "learner": signed_in(LearnerFactory.create()),
        "deaf": signed_in(deaf),
        "looking": staff(),
        "publisher": staff(MAY_PUBLISH),
    }
    before = state()

    answers = {
        page: [who.get(at(page, template)).status_code for who in people.values()]
        for page, template in (
            ("preview", draft),
            ("preview_pdf", draft),
            ("publish", draft),
            ("withdraw", published),
        )
    }
    posted = {
        page: [
            people[who].post(at(page, template), {"reason": "x"}).status_code
            for who in ("stranger", "learner", "deaf", "looking")
        ]
        for page, template in (("publish", draft), ("withdraw", published))
    }

    assert answers == {
        "preview": [302, 302, 403, 200, 200],
        "preview_pdf": [302, 302, 403, 200, 200],
        "publish": [302, 302, 403, 403, 200],
        "withdraw": [302, 302, 403, 403, 200],
    }
    assert posted == {page: [302, 302, 403, 403] for page in ("publish", "withdraw")}
    assert state() == before


def test_offers_only_what_one_may(draft: ProgramLetterTemplate) -> None:
    published = publish_text(one_course_program()[0])

    for template, button in ((draft, "Publish…"), (published, "Withdraw…")):
        address = at("change", template)
        assert button in text(staff(MAY_PUBLISH).get(address))
        assert button not in text(staff().get(address))


# --- Preview -----------------------------------------------------------------------------------


def test_previews_with_a_learner_of_the_program(
    draft: ProgramLetterTemplate, true_letter: ProgramLetter
) -> None:
    before = state()
    client = staff()

    page = client.get(at("preview", draft))
    pdf = client.get(at("preview_pdf", draft))

    name = true_letter.recipient_name
    assert f"Well done, {name}." in words_of(page)
    assert f"Well done, {name}." in words_of_pdf(pdf.content)
    assert "1 June 2025" in words_of(page)
    assert state() == before


def test_a_preview_is_marked_and_verifies_as_nothing(
    draft: ProgramLetterTemplate, true_letter: ProgramLetter
) -> None:
    publish_text(draft.program)
    client = staff()

    page = words_of(client.get(at("preview", draft)))
    pdf = words_of_pdf(client.get(at("preview_pdf", draft)).content)

    for words in (page, pdf):
        assert "Preview, not valid" in words
        assert str(true_letter.uuid) not in words
    (address,) = set(re.findall(r"/letter/program/[0-9a-f-]{36}/verify/", page))
    assert client.get(address).status_code == 404


def test_the_pdfs_watermark_lies_across_the_page(draft: ProgramLetterTemplate) -> None:
    document = pypdfium2.PdfDocument(staff().get(at("preview_pdf", draft)).content)

    drawn = document[0].render(scale=0.5).to_pil().convert("RGB")
    document.close()

    colours: Any = drawn.getcolors(2**24)
    assert sum(n for n, (red, green, _blue) in colours if red > 200 and red - green > 20) > 1_000


def test_previews_with_whoever_is_asked_for(
    draft: ProgramLetterTemplate, program: Program, true_letter: ProgramLetter
) -> None:
    (suspended,) = imported(
        program,
        LearnerFactory.create(username="sue", email="sue@example.org", full_name="Sue Storm"),
        is_active=False,
    )
    LearnerFactory.create(username="nel", full_name="Nel Nobody")
    client = staff("view_user")

    told = {
        asked: re.findall(
            r"what the letter of (.*?) would",
            words_of(client.get(at("preview", draft), {"learner": asked})),
        )[0]
        for asked in ("sue", "SUE@example.org", str(suspended.uuid), f" {suspended.uuid} ", "nel")
    }
    pdf = client.get(at("preview_pdf", draft), {"learner": "sue"})

    assert told == {
        **dict.fromkeys(("sue", "SUE@example.org", str(suspended.uuid)), "Sue Storm"),
        f" {suspended.uuid} ": "Sue Storm",
        "nel": "Nel Nobody",
    }
    assert "Well done, Sue Storm." in words_of_pdf(pdf.content)


@pytest.mark.parametrize(
    "asked",
    ["nobody", "11111111-1111-1111-1111-111111111111", "\0", "x" * 3_000, "' OR 1=1", "nel"],
)
def test_says_who_was_not_found(
    draft: ProgramLetterTemplate, true_letter: ProgramLetter, asked: str
) -> None:
    LearnerFactory.create(username="nel", full_name="Nel Nobody")

    response = staff().get(at("preview", draft), {"learner": asked})

    page = words_of(response)
    assert response.status_code == 200
    assert asked == "\0" or "Nobody with a letter of this program is called that." in page
    assert "Nel Nobody" not in page
    assert f"Well done, {true_letter.recipient_name}." in page


def test_previews_with_somebody_invented_where_there_is_nobody(
    draft: ProgramLetterTemplate,
) -> None:
    page = words_of(staff().get(at("preview", draft)))

    assert "its holder is invented" in page
    assert "Well done, Alexandra Example." in page


def test_who_may_not_look_at_letters_sees_nobodys_name(
    draft: ProgramLetterTemplate, true_letter: ProgramLetter
) -> None:
    writer = User.objects.create(username=f"writer{next(numbers)}", is_staff=True)
    writer.user_permissions.set(
        Permission.objects.filter(codename__in=["view_programlettertemplate", "view_user"])
    )
    asked = {"learner": true_letter.user.username}

    page = words_of(signed_in(writer).get(at("preview", draft), asked))

    assert "Well done, Alexandra Example." in page
    assert true_letter.recipient_name not in page


def test_a_preview_has_the_pictures_and_warns_of_missing_ones(
    draft: ProgramLetterTemplate,
) -> None:
    bare = words_of(staff().get(at("preview", draft)))
    draft.logo = services.save_picture(file_of(Image.new("RGB", (40, 20), "navy")))
    draft.save()
    LetterSignatory.objects.create(template=draft, name="Ann", title_line_1="Dean")

    page = staff().get(at("preview", draft))
    pdf = staff().get(at("preview_pdf", draft))

    assert "There is no logo. Nobody signs it." in bare
    assert "There is no logo." not in words_of(page)
    assert f"/letter/picture/{draft.logo.sha256}.png" in text(page)
    assert "Ann" in words_of_pdf(pdf.content)


@pytest.mark.parametrize("words", ["", "<script>alert(1)</script>", "{nome} **", "#"])
def test_previews_any_text(draft: ProgramLetterTemplate, words: str) -> None:
    ProgramLetterTemplate.objects.update(text=words, header=words, footer=words)

    page = staff().get(at("preview", draft))

    assert page.status_code == 200
    assert "<script>alert" not in text(page)
    assert staff().get(at("preview_pdf", draft)).status_code == 200


# --- Publish -----------------------------------------------------------------------------------


def test_the_preflight_tells_what_would_happen(
    draft: ProgramLetterTemplate, program: Program, run: CourseRun
) -> None:
    keeping = publish_text(program)
    issue(program, *graduates(run))
    services.withdraw_template(template_id=publish_text(program, at=AT + HOUR).pk, by=by_at(AT))
    true, revoked = issue(program, *graduates(run, 2), at=AT + HOUR)
    services.revoke_letter(letter_uuid=revoked.uuid, by=by_at(AT))
    false = imported(program, *LearnerFactory.create_batch(3))
    before = state()

    page = staff(MAY_PUBLISH, "apply_letter_plan").get(at("publish", draft))

    words = words_of(page)
    for told in (
        "Publishing makes 4 letters visible; 3 of them fail validation",
        "4 of them were never to be seen before.",
        "1 letter is shown already, and keeps the text that it has.",
        "1 letter stays hidden, because it is revoked.",
        f"3 The core course {run.course.key} is not passed core_course:{run.course.key}",
        "There is no logo.",
        "Nobody signs it.",
        "Show them nevertheless",
        "Tell the holders by mail: 4",
    ):
        assert told in words, told
    for letter in false:
        assert f'href="{page_of(letter)}"' in text(page)
    assert f'href="{page_of(true)}"' not in text(page)
    assert keeping.status == "published"
    assert state() == before


def test_publishes_with_a_confirmation_that_leads_to_the_withdrawal(
    draft: ProgramLetterTemplate, true_letter: ProgramLetter
) -> None:
    client = staff(MAY_PUBLISH)

    page = post(client, at("publish", draft), seen=seen(draft), reason="")

    draft.refresh_from_db()
    assert "Published. 1 letter became visible. Nobody is mailed." in page
    assert f'href="{at("withdraw", draft)}"' in page
    assert draft.status == "published"
    assert draft.published_by_id == int(client.session["_auth_user_id"])
    assert Client().get(f"/letter/program/{true_letter.uuid}/").status_code == 200
    assert not OutboxMessage.objects.exists()


def test_shows_no_false_letters_by_accident(
    draft: ProgramLetterTemplate, false_letter: ProgramLetter
) -> None:
    client = staff(MAY_PUBLISH)
    before = state()

    for given in (
        {"reason": "Because."},
        {"nevertheless": "on", "reason": " "},
        {"nevertheless": "on", "reason": "x" * 501},
        {},
    ):
        page = post(client, at("publish", draft), seen=seen(draft, 1), **given)
        assert "Nothing was published: " in page
        assert "Publishing makes 1 letter visible" in page
    for unsure in (
        "",
        "rubbish",
        "2025-99-99T00:00:00 1",
        f"{draft.modified.isoformat()} -1",
        "\0",
    ):
        given = {"nevertheless": "on", "reason": "Because."}
        page = post(client, at("publish", draft), seen=unsure, **given)
        assert "Publishing makes 1 letter visible" in page

    assert state() == before


def test_what_was_given_is_not_lost_to_an_error(
    draft: ProgramLetterTemplate, false_letter: ProgramLetter
) -> None:
    given = {"reason": "The board said so.", "notify": "on"}

    response = staff(MAY_PUBLISH).post(at("publish", draft), {"seen": seen(draft, 1), **given})

    form = response.context["form"]
    assert form["reason"].value() == "The board said so."
    assert form["notify"].value() == "on"
    assert not form["nevertheless"].value()


def test_publishes_false_letters_with_an_override(
    draft: ProgramLetterTemplate, false_letter: ProgramLetter
) -> None:
    given = {"nevertheless": "on", "reason": "The board said so."}

    page = post(staff(MAY_PUBLISH), at("publish", draft), seen=seen(draft, 1), **given)

    assert "Published. 1 letter became visible." in page
    latest = draft.history.latest("history_id")
    assert latest.history_change_reason == "The board said so."


def test_asks_again_when_more_letters_fail_than_were_shown(
    draft: ProgramLetterTemplate, program: Program, run: CourseRun, false_letter: ProgramLetter
) -> None:
    (true,) = issue(program, *graduates(run))
    client = staff(MAY_PUBLISH)
    sent = client.get(at("publish", draft)).context["form"]["seen"].value()
    grade(run, true.user, percent="0.1", at=AT)
    given = {"nevertheless": "on", "reason": "Looked at."}

    refused = client.post(at("publish", draft), {"seen": sent, **given})
    hidden = shown(program)
    again = refused.context["form"]["seen"].value()
    page = post(client, at("publish", draft), seen=again, **given)

    assert "2 of the letters that would appear fail validation now; 1 were shown" in text(refused)
    assert hidden == 0
    assert (sent, again) == (seen(draft, 1), seen(draft, 2))
    assert "Published. 2 letters became visible." in page


def test_asks_again_when_the_draft_was_edited(
    draft: ProgramLetterTemplate, true_letter: ProgramLetter
) -> None:
    old = seen(draft)
    draft.text = "Other words."
    draft.save()

    page = post(staff(MAY_PUBLISH), at("publish", draft), seen=old, reason="")
    hidden = shown(draft.program)
    post(staff(MAY_PUBLISH), at("publish", draft), seen=seen(draft), reason="")

    assert "The draft was changed while you were looking at it." in page
    assert (hidden, shown(draft.program)) == (0, 1)


@pytest.mark.parametrize("notify", [False, True])
def test_mails_only_if_asked(
    draft: ProgramLetterTemplate, true_letter: ProgramLetter, notify: bool
) -> None:
    chosen = {"notify": "on"} if notify else {}

    page = post(staff(MAY_PUBLISH), at("publish", draft), seen=seen(draft), reason="", **chosen)

    assert OutboxMessage.objects.count() == int(notify)
    assert ("1 mail to a holder is queued." if notify else "Nobody is mailed.") in page


def test_offers_no_mail_where_there_is_nobody_to_tell(draft: ProgramLetterTemplate) -> None:
    page = words_of(staff(MAY_PUBLISH).get(at("publish", draft)))

    assert "Publishing makes 0 letters visible" in page
    assert "by mail:" not in page


@pytest.mark.parametrize("words", ["", "<p></p>", "Dear {nome}"])
def test_publishes_no_text_that_nobody_can_read(
    draft: ProgramLetterTemplate, true_letter: ProgramLetter, words: str
) -> None:
    ProgramLetterTemplate.objects.update(text=words)
    draft.refresh_from_db()
    before = state()

    page = staff(MAY_PUBLISH).get(at("publish", draft))
    told = post(staff(MAY_PUBLISH), at("publish", draft), seen=seen(draft), reason="")

    assert "It cannot be published" in text(page)
    assert not page.context["is_possible"]
    assert "The template cannot be published" in told
    assert state() == before


def test_publishes_nothing_twice(draft: ProgramLetterTemplate, true_letter: ProgramLetter) -> None:
    client = staff(MAY_PUBLISH)
    sent = seen(draft)
    post(client, at("publish", draft), seen=sent, reason="")
    events = true_letter.events.count()

    page = post(client, at("publish", draft), seen=sent, reason="")

    assert "This revision is published: only a draft can be published." in page
    assert true_letter.events.count() == events


def test_the_preflight_needs_the_same_statements_for_any_number_of_letters(
    statements: Statements,
) -> None:
    client, counts = staff(MAY_PUBLISH), []
    for number in (1, 50):
        program, run = one_course_program()
        issue(program, *graduates(run, number))
        imported(program, *LearnerFactory.create_batch(number))
        draft = ProgramLetterTemplate(program=program, text="x")
        services.add_draft(draft, by=by_at(AT))
        client.get(at("publish", draft))
        with statements.counted() as asked:
            assert client.get(at("publish", draft)).status_code == 200
        counts.append(len(asked))

    assert counts[0] == counts[1]


# --- Withdraw ----------------------------------------------------------------------------------


def test_the_withdrawal_tells_what_disappears(program: Program, run: CourseRun) -> None:
    issue(program, *graduates(run, 2))
    first = publish_text(program)
    second = publish_text(program, at=AT + HOUR)
    issue(program, *graduates(run), at=AT + 2 * HOUR)
    before = state()

    page = staff(MAY_PUBLISH).get(at("withdraw", first))

    words = words_of(page)
    assert "2 letters are shown with this revision; 3 letters are shown of the whole" in words
    assert f'href="{at("change", second)}"' in text(page)
    assert state() == before


@pytest.mark.parametrize(("choice", "hidden", "left"), [("this", 1, 1), ("all", 2, 0)])
def test_withdraws_this_revision_or_all(
    program: Program, run: CourseRun, choice: str, hidden: int, left: int
) -> None:
    issue(program, *graduates(run))
    first = publish_text(program)
    publish_text(program, at=AT + HOUR)
    issue(program, *graduates(run), at=AT + 2 * HOUR)
    client = staff(MAY_PUBLISH)

    page = post(client, at("withdraw", first), every_revision=choice, reason="A wrong name.")

    assert f"Withdrawn. {hidden} letter" in page
    assert shown(program) == left
    first.refresh_from_db()
    assert first.withdrawn_by_id == int(client.session["_auth_user_id"])
    assert "A wrong name." in page
    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize(
    "given",
    [
        {"every_revision": "this", "reason": " "},
        {"every_revision": "some", "reason": "x"},
        {"reason": "x"},
        {},
    ],
)
def test_withdraws_nothing_without_choice_and_reason(
    true_letter: ProgramLetter, given: dict[str, str]
) -> None:
    template = publish_text(true_letter.program)
    before = state()

    page = post(staff(MAY_PUBLISH), at("withdraw", template), **given)

    assert "errors" in page
    assert state() == before


def test_withdraws_only_what_is_published(draft: ProgramLetterTemplate) -> None:
    before = state()
    given = {"every_revision": "all", "reason": "x"}

    page = post(staff(MAY_PUBLISH), at("withdraw", draft), **given)

    assert "This revision is draft: only what is published can be withdrawn." in page
    draft.refresh_from_db()
    assert draft.status == "draft"
    assert state() == before


def test_a_withdrawn_text_is_gone_everywhere_at_once(true_letter: ProgramLetter) -> None:
    template = publish_text(true_letter.program)
    letter, holder = f"/letter/program/{true_letter.uuid}", signed_in(true_letter.user)
    stranger = Client(headers={"host": "localhost"})

    def seen_by(who: Client) -> list[int]:
        addresses = (f"{letter}/", f"{letter}.pdf", f"{letter}/verify/")
        return [who.get(address).status_code for address in addresses]

    before = seen_by(stranger)
    given = {"every_revision": "this", "reason": "A wrong name."}
    post(staff(MAY_PUBLISH), at("withdraw", template), **given)

    assert before == [200, 200, 200]
    assert seen_by(stranger) == [404, 404, 404]
    assert "Your letter is being prepared" in text(holder.get(f"{letter}/"))
    assert "Your letter is being prepared" in text(holder.get(f"{letter}.pdf"))
    assert f"{letter}/" not in text(holder.get("/"))
    assert "being prepared" in text(holder.get("/letters/"))
    assert ProgramLetter.objects.get().state == "active"
