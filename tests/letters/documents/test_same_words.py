"""What the page says, the PDF says, in the same order."""

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from django.template.loader import render_to_string

from letters.documents import LetterDocument, Signatory
from letters.documents.pdf import render_pdf
from tests.letters.documents.letters import (
    PARAGRAPH,
    arabic_document,
    chinese_document,
    document,
    long_document,
)
from tests.letters.documents.pages import texts

BLOCKS = {"article", "dd", "div", "dl", "dt", "h1", "h2", "h3", "li", "ol", "p", "ul", "br"}
# Where a line may break inside a word, and where a name's own direction begins and ends.
INVISIBLE = str.maketrans("", "", "\u200b\u2068\u2069")


class Reader(HTMLParser):
    """Reads as a browser shows: each block on its line, each item with its bullet or number."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.counters: list[int | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in BLOCKS:
            self.words.append("\n")
        if tag in {"ul", "ol"}:
            attributes = dict(attrs)
            is_marked = "class" not in attributes
            start = int(attributes.get("start") or 1)
            self.counters.append(start if tag == "ol" else 0 if is_marked else None)
        elif tag == "li" and (number := self.counters[-1]) is not None:
            self.words.append("• " if number == 0 else f"{number}. ")
            self.counters[-1] = number + 1 if number else 0

    def handle_endtag(self, tag: str) -> None:
        if tag in BLOCKS:
            self.words.append("\n")
        if tag in {"ul", "ol"}:
            self.counters.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def words_of_page(letter: LetterDocument) -> str:
    reader = Reader()
    reader.feed(render_to_string("letters/document.html", {"document": letter}))
    return " ".join("".join(reader.words).split())


def words_of_pdf(letter: LetterDocument) -> str:
    pages = texts(render_pdf(letter))
    if len(pages) > 1:
        # An artifact to who listens, like the page's own frame in a browser.
        pages = [re.sub(r"\s*Page \d+ of \d+$", "", page) for page in pages]
    # Lines that ended inside of a word, or of an address.
    text = re.sub("\u200b\\s+|(?<=[/-])\r\n", "", "\n".join(pages))
    return " ".join(text.translate(INVISIBLE).split())


@pytest.mark.parametrize(
    "letter",
    [
        document(),
        document(logo=None, header="", footer="", signatories=()),
        document(recipient_name="<script>alert('*x*')</script> & {program}"),
        document(text="# A\n## B\nfirst\nsecond\n\n7. seven\n8. **eight** *nine* ***ten***"),
        document(text="\n\n".join([PARAGRAPH] * 25)),
        document(signatories=(Signatory("\ufeffGrace\u202e Hopper", ("De\x07an", " of  \u2066")),)),
    ],
)
def test_the_pdf_says_what_the_page_says(letter: LetterDocument) -> None:
    assert words_of_pdf(letter) == words_of_page(letter)


def test_the_pdf_says_the_same_in_chinese() -> None:
    """Lines break between any two characters; no blank is between them then."""
    pdf, page = (
        "".join(read(chinese_document()).split()) for read in (words_of_pdf, words_of_page)
    )

    assert pdf == page
    assert "兹证明王小明已完成《数据科学实践》项目的全部课程。" in pdf


@pytest.mark.parametrize(
    "letter",
    [arabic_document(), document(recipient_name="محمد (علي) بن سعيد"), long_document()],
)
def test_the_pdf_says_the_same_from_right_to_left(letter: LetterDocument) -> None:
    """As characters, without their order: a PDF holds glyphs as they stand on the paper, and each
    reader guesses the order of mixed directions anew, and which of two brackets it sees. Arabic's
    joined forms are one letter each.
    """
    pdf, page = (
        sorted(unicodedata.normalize("NFKC", "".join(read(letter).split())).replace(")", "("))
        for read in (words_of_pdf, words_of_page)
    )

    assert pdf == page
    assert len(pdf) > 200
