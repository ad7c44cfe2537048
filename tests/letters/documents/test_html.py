import re
from html import unescape

import nh3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from letters.documents.html import blocks_html, letterhead_html
from letters.documents.markdown import parse, plain_text
from letters.templatetags.letter_document import breakable_address

TEXT = st.text() | st.text(alphabet="*_#-+1.) \n\\`[]<>&;'\"{}name=/pscrit\u00a0\u0645\u202e\0")
TAGS = {"p", "h2", "h3", "ul", "ol", "li", "strong", "em", "bdi", "br"}


def html(source: str, name: str = "Ada") -> str:
    return str(blocks_html(parse(source, {"name": name})))


def words_of(html: str) -> str:
    lines = re.sub(r"(</(?:p|h2|h3)>)(?=.*<(?:p|h2|h3) )|<br>", "\n", html, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", "", lines))


def test_sets_blocks_and_words() -> None:
    assert html("# Dear {name}\n\n**a *b***\nc") == (
        '<h2 dir="ltr">Dear <bdi>Ada</bdi></h2>'
        '<p dir="ltr"><strong>a </strong><strong><em>b</em></strong><br>c</p>'
    )


def test_sets_lists() -> None:
    assert html("2. a\n3. b\n   - c") == (
        '<ol dir="ltr" start="2"><li><p dir="ltr">a</p></li><li><p dir="ltr">b</p>'
        '<ul dir="ltr"><li><p dir="ltr">c</p></li></ul></li></ol>'
    )


def test_a_paragraph_goes_the_way_of_its_words() -> None:
    assert html("السيد {name}") == '<p dir="rtl">السيد <bdi>Ada</bdi></p>'


def test_a_letterhead_has_no_headings() -> None:
    head = letterhead_html(parse("# University\n## Office\nStreet", {}))

    assert head == (
        '<p dir="ltr" class="letterhead-1">University</p>'
        '<p dir="ltr" class="letterhead-2">Office</p><p dir="ltr">Street</p>'
    )


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</p><h1>", '" onclick="x'],
)
def test_hostile_words_are_words(hostile: str) -> None:
    for shown in (html(hostile), html("{name}", hostile)):
        assert set(re.findall(r"</?(\w+)", shown)) <= TAGS
        assert words_of(shown) == hostile


@given(source=TEXT, name=TEXT)
@example("1. a\n2. b\n   - **c**", "")
def test_any_text_becomes_clean_html_with_the_same_words(source: str, name: str) -> None:
    blocks = parse(source, {"name": name})

    for shown in (str(blocks_html(blocks)), str(letterhead_html(blocks))):
        assert set(re.findall(r"</?(\w+)", shown)) <= TAGS
        assert (
            nh3.clean(
                shown,
                tags=TAGS,
                attributes={tag: {"dir", "start", "class"} for tag in TAGS},
                link_rel=None,
            )
            == shown
        )
        assert words_of(shown) == plain_text(blocks)


def test_an_address_breaks_after_its_slashes() -> None:
    assert breakable_address("https://a.b/<c>/") == "https:/<wbr>/<wbr>a.b/<wbr>&lt;c&gt;/<wbr>"
