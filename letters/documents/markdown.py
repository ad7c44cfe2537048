"""Staff's texts: a small Markdown, read once, and set as a page and as a PDF from the same blocks.

Paragraphs, line breaks, **strong** and *emphasised* words, lists, and two levels of headings.
Everything else (HTML, links, pictures, code, quotations, tables) is printed as it was typed.
"""

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.token import Token

from letters.documents.text import Direction, direction, one_line, printable

PLACEHOLDERS = ("name", "program", "date")
MAX_LENGTH = 10_000
# A name may have hundreds of letters, and a letter a page or two.
MAX_PLACEHOLDERS = 30
MAX_LIST_DEPTH = 3

BlockKind = Literal["p", "h2", "h3", "ul", "ol"]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_RULES = ["heading", "emphasis", "newline", "escape"]
# A list adds two levels, its paragraph one more.
_DEEPEST_LEVEL = 2 * MAX_LIST_DEPTH + 1


@dataclass(frozen=True)
class Span:
    """Words set alike. A line break is a span of its own, "\\n"."""

    text: str
    is_strong: bool = False
    is_emphasised: bool = False
    is_value: bool = False
    """In the place of a placeholder: a name does not turn the words around it."""


@dataclass(frozen=True)
class Block:
    """A paragraph or heading has spans; a list has items, which are blocks again."""

    kind: BlockKind
    spans: tuple[Span, ...] = ()
    items: tuple[tuple["Block", ...], ...] = ()
    start: int = 1
    """The number of the first item."""

    @property
    def direction(self) -> Direction:
        """By the first letter that staff wrote; a name decides only where nothing else does."""
        spans = [span for block in _leaves(self) for span in block.spans]
        written = "".join(span.text for span in spans if not span.is_value)
        whole = "".join(span.text for span in spans)
        return direction(written) or direction(whole) or "ltr"


def parse(source: str, words: Mapping[str, str]) -> tuple[Block, ...]:
    """The blocks of any text whatsoever, with the words in the place of their placeholders.

    Words are only ever text: markup and placeholders inside them are printed. A text that
    `problems` refuses is printed all the same: unknown placeholders as they stand, and lists that
    are nested too deep as plain lines.
    """
    values = {key: one_line(word) for key, word in words.items()}
    return _Reader(iter(_read(source)), values).blocks()


def problems(source: str) -> list[str]:
    """What keeps a text from being published, in words for who wrote it; empty when nothing does."""
    found = []
    if len(source) > MAX_LENGTH:
        found.append(
            _("The text has %(length)d characters; at most %(limit)d are possible.")
            % {"length": len(source), "limit": MAX_LENGTH}
        )
        return found
    texts = list(_written(_read(source)))
    placeholders = [name for text in texts for name in _PLACEHOLDER.findall(text)]
    if len(placeholders) > MAX_PLACEHOLDERS:
        found.append(
            _("The text has %(count)d placeholders; at most %(limit)d are possible.")
            % {"count": len(placeholders), "limit": MAX_PLACEHOLDERS}
        )
    unknown = {*placeholders} - {*PLACEHOLDERS}
    found += [
        _("There is no placeholder {%(name)s}; there are %(known)s.")
        % {"name": name, "known": ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)}
        for name in sorted(unknown)
    ]
    if any(brace in _PLACEHOLDER.sub("", text) for text in texts for brace in "{}"):
        found.append(
            _("A curly bracket stands alone. A placeholder is one word in a pair, such as {name}.")
        )
    if _is_too_deep(_PARSER.parse(printable(source))):
        found.append(
            _("Lists can be nested %(depth)d deep, not deeper.") % {"depth": MAX_LIST_DEPTH}
        )
    return found


def is_blank(source: str) -> bool:
    """Whether nothing is said: no letter, number or sign is left without markup, tags and blanks.

    Old systems stored an empty text as `<p></p>` or `&nbsp;`.
    """
    text = html.unescape(re.sub(r"<[^<>]*>", " ", source))
    return not any(_says_something(text) for text in _written(_read(text)))


def plain_text(blocks: tuple[Block, ...]) -> str:
    """The words alone, a line for each line."""
    leaves = (leaf for block in blocks for leaf in _leaves(block))
    return "\n".join("".join(span.text for span in leaf.spans) for leaf in leaves)


def _parser(*rules: str) -> MarkdownIt:
    # "breaks" is for renderers, and this one is ours: every line break counts.
    return MarkdownIt("zero").enable([*_RULES, *rules])


_PARSER = _parser("list")
_PARSER_WITHOUT_LISTS = _parser()


def _read(source: str) -> list[Token]:
    source = printable(source)
    tokens = _PARSER.parse(source)
    return _PARSER_WITHOUT_LISTS.parse(source) if _is_too_deep(tokens) else tokens


def _is_too_deep(tokens: list[Token]) -> bool:
    return any(token.level > _DEEPEST_LEVEL for token in tokens)


def _written(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        for child in token.children or ():
            if child.type == "text":
                yield child.content


def _says_something(text: str) -> bool:
    return any(
        unicodedata.category(character)[0] in "LN"
        or (unicodedata.category(character)[0] == "S" and not character.isascii())
        for character in text
    )


def _leaves(block: Block) -> Iterator[Block]:
    if block.items:
        for item in block.items:
            for child in item:
                yield from _leaves(child)
    else:
        yield block


@dataclass
class _Reader:
    """Turns the parser's tokens into blocks, and drops what is empty."""

    tokens: Iterator[Token]
    words: Mapping[str, str]
    shallowest: int = field(default=7, init=False)

    def blocks(self) -> tuple[Block, ...]:
        """All up to the end of what they stand in."""
        read = []
        for token in self.tokens:
            if token.nesting == -1:
                break
            block = self._block(token)
            if block.spans or block.items:
                read.append(block)
        return tuple(read)

    def _block(self, opening: Token) -> Block:
        if opening.type == "bullet_list_open":
            return Block("ul", items=self._items())
        if opening.type == "ordered_list_open":
            return Block("ol", items=self._items(), start=int(opening.attrs.get("start", 1)))
        kind = self._heading(opening.tag) if opening.type == "heading_open" else "p"
        inline, _closing = next(self.tokens), next(self.tokens)
        return Block(kind, spans=self._spans(inline.children or []))

    def _items(self) -> tuple[tuple[Block, ...], ...]:
        items = []
        for token in self.tokens:
            if token.type != "list_item_open":
                break
            if item := self.blocks():
                items.append(item)
        return tuple(items)

    def _heading(self, tag: str) -> BlockKind:
        """No level is left out, whichever staff begin with: readers of tagged documents rely on it."""
        depth = int(tag[1:])
        if depth <= self.shallowest:
            self.shallowest = depth
            return "h2"
        return "h3"

    def _spans(self, inline: list[Token]) -> tuple[Span, ...]:
        spans: list[Span] = []
        depth = {"strong": 0, "em": 0}
        for token in inline:
            if token.tag in depth:
                depth[token.tag] += token.nesting
            elif token.type == "text":
                style = Span("", depth["strong"] > 0, depth["em"] > 0)
                spans += (span for span in self._words(token.content, style) if span.text)
            else:
                spans.append(Span("\n"))
        return tuple(spans) if any(span.text.strip() for span in spans) else ()

    def _words(self, text: str, style: Span) -> Iterator[Span]:
        """The text, and in it the words that its placeholders stand for."""
        end = 0
        for match in _PLACEHOLDER.finditer(text):
            if match[1] in self.words:
                yield replace(style, text=text[end : match.start()])
                yield replace(style, text=self.words[match[1]], is_value=True)
                end = match.end()
        yield replace(style, text=text[end:])
