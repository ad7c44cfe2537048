"""Markup that staff write: what of it may stand on a page, and its words alone."""

from html import unescape

import nh3
from django.utils.html import strip_tags


def clean_markup(markup: str) -> str:
    """The markup without what could run, or load anything but images."""
    return nh3.clean(markup)


def words_of(markup: str) -> str:
    """Its text, to be escaped like any other."""
    return unescape(strip_tags(markup))
