import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from letters.documents import LetterDocument, Signatory
from letters.documents.pdf import render_pdf
from tests.letters.documents.letters import (
    PARAGRAPH,
    SIGNATURE,
    arabic_document,
    chinese_document,
    document,
    long_document,
)
from tests.letters.documents.pages import ink_beyond, opened, structure, texts

IN_ANOTHER_PROCESS = """
import hashlib, django
django.setup()
from letters.documents.pdf import render_pdf
from tests.letters.documents.letters import document
print(hashlib.sha256(render_pdf(document())).hexdigest())
"""


def test_tells_who_completed_what_and_how_to_verify_it() -> None:
    [text] = texts(render_pdf(document()))

    for words in (
        "Northbridge University",
        "Digital Product Design",
        "Ada Lovelace",
        "14 May 2024",
        "e818febc-3996-5370-8644-f378e2fbec9e",
        "Prof. Grace Hopper",
    ):
        assert words in text
    assert (
        "Verify it at https://credentials.northbridge.example.edu/letter/program/\r\n"
        "e818febc-3996-5370-8644-f378e2fbec9e/verify/"
    ) in text


def test_knows_its_title_its_language_and_its_day() -> None:
    pdf = render_pdf(document())

    with opened(pdf) as opened_pdf:
        facts = opened_pdf.get_metadata_dict(skip_empty=True)
    assert facts["Title"] == "Program letter: Digital Product Design, Ada Lovelace"
    assert facts["CreationDate"] == facts["ModDate"] == "D:20240514000000Z"
    assert b"/Lang(en)" in pdf


def test_can_be_read_aloud() -> None:
    tags = structure(render_pdf(document()))

    assert [(kind, words) for _, kind, words in tags if words] == [
        ("Figure", "Logo"),
        ("Figure", "Signature of Prof. Grace Hopper"),
        ("Figure", "QR code: the address at which this letter is verified"),
    ]
    kinds = [kind for _, kind, _ in tags if kind in {"H1", "L", "LI", "Link"}]
    assert kinds == ["H1", "L", "LI", "LI", "L", "LI", "LI", "Link"]


def test_the_same_letter_has_the_same_bytes_in_every_process() -> None:
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Pacific/Apia"}

    elsewhere = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )

    assert elsewhere.stdout.split() == [hashlib.sha256(render_pdf(document())).hexdigest()]


def test_many_are_written_at_once() -> None:
    documents = [document(recipient_name=f"Learner {number}") for number in range(24)]
    one_by_one = [render_pdf(letter) for letter in documents]

    with ThreadPoolExecutor(max_workers=8) as threads:
        at_once = list(threads.map(render_pdf, documents))

    assert at_once == one_by_one
    assert len(set(at_once)) == 24


@pytest.mark.parametrize(
    "letter", [document(), arabic_document(), chinese_document(), long_document()]
)
def test_nothing_runs_over_the_edge(letter: LetterDocument) -> None:
    assert ink_beyond(render_pdf(letter), margin_mm=24.5) == []


def test_a_long_text_goes_on_on_a_second_page() -> None:
    first, second = texts(render_pdf(document(text="\n\n".join([PARAGRAPH] * 25))))

    assert first.endswith("Page 1 of 2")
    assert second.endswith("Page 2 of 2")
    assert "Page 1" not in texts(render_pdf(document()))[0]


def test_headings_may_stand_anywhere() -> None:
    letter = document(
        header="### University", text="### First\n\n# Second\n\n## Third", footer="# F"
    )

    kinds = [kind for _, kind, _ in structure(render_pdf(letter)) if kind.startswith("H")]

    assert kinds == ["H1", "H2", "H2", "H3", "H2"]


def test_a_letter_needs_neither_logo_nor_signature_nor_text_around() -> None:
    bare = document(logo=None, header="", footer="", signatories=(), text="Well done.")

    [text] = texts(render_pdf(bare))

    assert text.startswith("Program letter\r\nDigital Product Design\r\nAda Lovelace\r\nWell done.")


@pytest.mark.parametrize("count", range(1, 7))
def test_up_to_six_sign(count: int) -> None:
    signatories = tuple(Signatory(f"Signatory {n}", ("Dean",), SIGNATURE) for n in range(count))

    pdf = render_pdf(document(signatories=signatories))

    assert len(re.findall(r"Signatory \d", "".join(texts(pdf)))) == count


def test_a_letter_that_no_font_can_write_is_a_box_and_still_itself() -> None:
    pdf = render_pdf(document(recipient_name="ᚠᚢᚦ"))

    assert b"LetterUnknown" in pdf
    assert "ᚠᚢᚦ" in texts(pdf)[0]
    assert b"LetterUnknown" not in render_pdf(document(recipient_name="Zoë Žižková Νίκη Ольга"))


@pytest.mark.parametrize(
    "name",
    ["王小明", "王喆", "陳龍", "田中さくら", "김철수", "محمد", "یاسمین گل", "שרה", "अनिता", "অনিতা", "தமிழ்", "สมชาย", "Արամ", "ნინო", "አበበ", "Nguyễn Thị"],
)  # fmt: skip
def test_names_of_many_scripts_are_written(name: str) -> None:
    assert b"LetterUnknown" not in render_pdf(document(recipient_name=name))


@hypothesis_settings(deadline=None, max_examples=60)
@given(name=st.text(min_size=1), text=st.text())
def test_any_text_can_be_set(name: str, text: str) -> None:
    letter = document(recipient_name=name, program_title=name, header=name, text=text, footer=text)

    assert render_pdf(letter).startswith(b"%PDF-1.7")


@pytest.mark.parametrize("name", ["\ufeffAda", "A\ufeffda", "محمد\ufeff"])
def test_a_byte_order_mark_from_a_file_is_no_part_of_a_name(name: str) -> None:
    """Tagged PDFs may not hold one, so that such a letter could not be written at all."""
    letter = document(recipient_name=name, program_title=name, header=name, text=name, footer=name)

    assert letter.recipient_name == name.replace("\ufeff", "")
    assert render_pdf(letter).startswith(b"%PDF-1.7")


def test_a_picture_must_bring_its_content() -> None:
    letter = document()
    assert letter.logo is not None

    with pytest.raises(ValueError, match=f"The picture {letter.logo.sha256} has no content."):
        render_pdf(replace(letter, logo=replace(letter.logo, content=None)))
