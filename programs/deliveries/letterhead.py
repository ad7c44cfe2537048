"""What all mails of `programs` have in common: one line is one line, and two parts say the same."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

# Embeddings, overrides and isolates reach beyond the words that they came with.
REACHING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def compose(
    name: str,
    words: Mapping[str, Any],
    *,
    to: str,
    from_email: str | None = None,
    reply_to: str = "",
) -> EmailMultiAlternatives:
    """The mail that the templates `email/programs/<name>` write of these words."""
    template = f"email/programs/{name}"
    words = {**words, "platform_name": one_line(settings.PLATFORM_NAME)}
    subject = one_line(render_to_string(f"{template}.subject.txt", words))
    # Where an optional paragraph is missing, its blank lines are too.
    text = re.sub(r"\n{3,}", "\n\n", render_to_string(f"{template}.txt", words)).strip() + "\n"
    prepared = EmailMultiAlternatives(
        subject,
        text,
        from_email=from_email,
        to=[to],
        reply_to=[reply_to] if reply_to else None,
        headers={"Auto-Submitted": "auto-generated"},
    )
    html = render_to_string(f"{template}.html", {**words, "subject": subject})
    prepared.attach_alternative(html, "text/html")
    return prepared


def one_line(text: str) -> str:
    """On one line, in its own direction: a line that a name brings along would look like ours."""
    shown = (character for character in " ".join(text.split()) if _is_shown(character))
    return "".join(shown).strip()


def _is_shown(character: str) -> bool:
    return character not in REACHING and unicodedata.category(character) not in {"Cc", "Cs"}
