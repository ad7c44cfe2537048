import pytest
from hypothesis import given
from hypothesis import strategies as st

from letters.documents.markdown import Block, Span, is_blank, parse, plain_text, problems
from letters.documents.text import direction, one_line

WORDS = {"name": "Ada", "program": "Engines", "date": "2 May 2024"}
MARKUP = st.text(alphabet="*_#-+1.) \n\t\\`[]()!<>&;{}namecode/\u0645\u200b\u202e\0\r\ud800")


def spans(source: str, name: str = "Ada") -> list[Span]:
    [block] = parse(source, WORDS | {"name": name})
    return list(block.spans)


def kinds(source: str) -> list[str]:
    return [block.kind for block in parse(source, WORDS)]


def words(source: str) -> str:
    return plain_text(parse(source, WORDS))


def test_sets_words_strong_and_emphasised() -> None:
    assert spans("a **b *c*** *d*") == [
        Span("a "),
        Span("b ", is_strong=True),
        Span("c", is_strong=True, is_emphasised=True),
        Span(" "),
        Span("d", is_emphasised=True),
    ]


def test_each_line_is_a_line() -> None:
    assert spans("one\ntwo") == [Span("one"), Span("\n"), Span("two")]


def test_paragraphs_stand_apart() -> None:
    assert parse("one\n\ntwo", {}) == (Block("p", (Span("one"),)), Block("p", (Span("two"),)))


def test_lists_hold_blocks_and_lists() -> None:
    [numbers] = parse("3. one\n4. two\n   - deeper", {})

    one, two, deeper = (Block("p", (Span(word),)) for word in ("one", "two", "deeper"))
    assert numbers == Block("ol", items=((one,), (two, Block("ul", items=((deeper,),)))), start=3)


@pytest.mark.parametrize(
    ("source", "levels"),
    [
        ("# a\n## b\n###### c\n# d", ["h2", "h3", "h3", "h2"]),
        ("### a\n## b\n### c", ["h2", "h2", "h3"]),
    ],
)
def test_headings_leave_out_no_level(source: str, levels: list[str]) -> None:
    assert kinds(source) == levels


@pytest.mark.parametrize(
    "source",
    [
        "<b>bold</b> <script>alert(1)</script>",
        "[link](https://example.org) ![picture](x.png) <https://example.org>",
        "`code` ~~gone~~ &amp; &copy;",
        "> quoted",
        "| a | b |",
        "***",
        "    indented",
        "```",
        "_under_scored_words",
        "a * b",
    ],
)
def test_what_is_no_markup_here_is_printed_as_typed(source: str) -> None:
    assert words(source) == source.strip()


def test_a_backslash_makes_a_sign_a_sign() -> None:
    assert words(r"\*no emphasis\*") == "*no emphasis*"


def test_placeholders_are_replaced_once() -> None:
    assert words("**{name}**, {program}, {date}, {other}, {") == (
        "Ada, Engines, 2 May 2024, {other}, {"
    )


@pytest.mark.parametrize(
    "name",
    ["*x*", "**", "# x", "<script>alert(1)</script>", "{program}", "{name}", "a\\", "W" * 200],
)
def test_a_name_is_only_ever_text(name: str) -> None:
    assert spans("Dear *{name}*", name) == [
        Span("Dear "),
        Span(name, is_emphasised=True, is_value=True),
    ]


def test_a_name_stays_on_its_line() -> None:
    assert words("{name}") == "Ada"
    assert spans("{name}", "Ada\r\n\tKing  Lovelace") == [Span("Ada King Lovelace", is_value=True)]


def test_what_turns_other_words_around_is_left_out() -> None:
    assert one_line("Ada\u202eecalevoL\u2066 \x00\x1b[31m\ud800\uffff") == "AdaecalevoL [31m"
    assert one_line("می\u200cرود") == "می\u200cرود"


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("Dear {name}", "محمد", "ltr"),
        ("السيد {name}", "Ada", "rtl"),
        ("{name}", "محمد", "rtl"),
        ("{name}!", "Ada", "ltr"),
        ("1. (שלום)", "Ada", "rtl"),
        ("- {name} (PhD)", "محمد", "ltr"),
        ("123", "Ada", "ltr"),
    ],
)
def test_a_block_takes_its_direction_from_what_staff_wrote(
    source: str, name: str, expected: str
) -> None:
    [block] = parse(source, {"name": name})

    assert block.direction == expected


def test_a_text_without_letters_has_no_direction() -> None:
    assert direction("12 (3)") is None


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Well done, **{name}** of {program}, on {date}.", []),
        ("", []),
        ("{nmae}", ["There is no placeholder {nmae}; there are {name}, {program}, {date}."]),
        ("{ name }", ["There is no placeholder { name }; there are {name}, {program}, {date}."]),
        ("# {b}\n- {a}", [f"There is no placeholder {{{x}}}; there are {{name}}, {{program}}, {{date}}." for x in "ab"]),
        *[
            (
                source,
                ["A curly bracket stands alone. A placeholder is one word in a pair, such as {name}."],
            )
            for source in ("{", "}", "{{name}}", "{na\nme}", "{na**m**e}", "{name")
        ],
        ("- a\n  - b\n    - c", []),
        ("- a\n  - b\n    - c\n      1. d", ["Lists can be nested 3 deep, not deeper."]),
        ("{name}" * 30, []),
        ("{name}" * 31, ["The text has 31 placeholders; at most 30 are possible."]),
        ("x" * 10_000, []),
        ("x" * 10_001, ["The text has 10001 characters; at most 10000 are possible."]),
    ],
)  # fmt: skip
def test_tells_what_keeps_a_text_from_being_published(source: str, found: list[str]) -> None:
    assert problems(source) == found


def test_a_list_that_is_too_deep_loses_no_words() -> None:
    assert words("- a\n  - b\n    - c\n      - **d**") == "- a\n- b\n- c\n- d"
    assert words("- " * 3_000 + "a").endswith("- a")


@pytest.mark.parametrize(
    "source",
    ["", " \n\t", "<p></p>", "<p><br></p>", "&nbsp;", "**", "****", "# ", "-", "1.", "\u200b\ufeff", "---", "<!-- -->", "!"],
)  # fmt: skip
def test_a_text_that_says_nothing_is_blank(source: str) -> None:
    assert is_blank(source)


@pytest.mark.parametrize("source", ["a", "{name}", "7", "<p>a</p>", "☺", "محمد", "1 < 2"])
def test_a_text_that_says_something_is_not_blank(source: str) -> None:
    assert not is_blank(source)


@given(source=MARKUP | st.text(), name=MARKUP)
def test_any_text_is_read(source: str, name: str) -> None:
    blocks = parse(source, {"name": name})

    assert isinstance(problems(source), list)
    if not is_blank(source) and "<" not in source:
        assert blocks


def test_a_text_nested_to_the_utmost_is_read() -> None:
    assert words("*a " * 4_000 + "b* " * 4_000).count("b") == 4_000
