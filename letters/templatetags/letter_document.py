"""What `letters/document.html` prints of a `letters.documents.LetterDocument`."""

from base64 import b64encode

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from letters.documents.html import blocks_html, letterhead_html
from letters.documents.markdown import Block
from letters.documents.qr import qr_svg

register = template.Library()


@register.filter
def text_blocks(blocks: tuple[Block, ...]) -> SafeString:
    return blocks_html(blocks)


@register.filter
def letterhead_blocks(blocks: tuple[Block, ...]) -> SafeString:
    return letterhead_html(blocks)


@register.filter
def qr_data_uri(address: str) -> str:
    return f"data:image/svg+xml;base64,{b64encode(qr_svg(address)).decode()}"


@register.filter
def breakable_address(address: str) -> SafeString:
    """May go on in another line after each slash."""
    return format_html_join(SafeString("/<wbr>"), "{}", ((part,) for part in address.split("/")))
