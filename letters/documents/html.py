"""A letter's blocks as HTML."""

import nh3
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from letters.documents.markdown import Block, BlockKind, Span

_TAGS = {"p", "h2", "h3", "ul", "ol", "li", "strong", "em", "bdi", "br"}
_ATTRIBUTES = {
    "p": {"dir", "class"},
    "h2": {"dir"},
    "h3": {"dir"},
    "ul": {"dir"},
    "ol": {"dir", "start"},
}
_LETTERHEAD_CLASSES: dict[BlockKind, str] = {"h2": "letterhead-1", "h3": "letterhead-2"}
# Every word is escaped where it is put in; that only these tags remain is looked at once more.
_WALL = nh3.Cleaner(tags=_TAGS, attributes=_ATTRIBUTES, link_rel=None)


def blocks_html(blocks: tuple[Block, ...]) -> SafeString:
    return _wall(_blocks(blocks))


def letterhead_html(blocks: tuple[Block, ...]) -> SafeString:
    """Blocks that stand before a document's title: what looks like a heading there is none."""
    return _wall(format_html_join("", "{}", ((_letterhead_block(block),) for block in blocks)))


def _wall(html: SafeString) -> SafeString:
    return mark_safe(_WALL.clean(html))  # noqa: S308 - escaped above, and cleaned just now


def _blocks(blocks: tuple[Block, ...]) -> SafeString:
    return format_html_join("", "{}", ((_block(block),) for block in blocks))


def _letterhead_block(block: Block) -> SafeString:
    if block.kind not in _LETTERHEAD_CLASSES:
        return _block(block)
    return format_html(
        '<p dir="{}" class="{}">{}</p>',
        block.direction,
        _LETTERHEAD_CLASSES[block.kind],
        _spans(block.spans),
    )


def _block(block: Block) -> SafeString:
    if block.items:
        start = block.start if block.kind == "ol" and block.start != 1 else None
        return format_html(
            "<{0} dir={1}{2}>{3}</{0}>",
            block.kind,
            format_html('"{}"', block.direction),
            format_html(' start="{}"', start) if start is not None else "",
            format_html_join("", "<li>{}</li>", ((_blocks(item),) for item in block.items)),
        )
    return format_html('<{0} dir="{1}">{2}</{0}>', block.kind, block.direction, _spans(block.spans))


def _spans(spans: tuple[Span, ...]) -> SafeString:
    return format_html_join("", "{}", ((_span(span),) for span in spans))


def _span(span: Span) -> SafeString:
    if span.text == "\n":
        return SafeString("<br>")
    words = format_html("<bdi>{}</bdi>" if span.is_value else "{}", span.text)
    if span.is_emphasised:
        words = format_html("<em>{}</em>", words)
    if span.is_strong:
        words = format_html("<strong>{}</strong>", words)
    return words
