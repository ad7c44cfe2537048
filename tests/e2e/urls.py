"""The portal, the pages that fail, and the patterns that docs/pages.md describes."""

import re
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import engines
from django.urls import include, path
from django.utils.safestring import mark_safe

from credentials_portal.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

PATTERNS = settings.BASE_DIR / "docs" / "pages.md"
FORM = """{% extends "base.html" %}
{% block title %}Every field{% endblock %}
{% block content %}<h1>Every field</h1>
<form class="panel" method="post" novalidate>{% csrf_token %}{% include "forms/fields.html" %}
<button type="submit">Send</button></form>{% endblock %}"""


class EveryField(forms.Form):
    """A field of each kind; `note` need not be filled in, and `plan` hides its error."""

    CHOICES = [("a", "A license"), ("b", "A coupon code")]
    title = forms.CharField(label="Title", help_text="As it stands on the <record>.")
    note = forms.CharField(label="Note", widget=forms.Textarea, required=False)
    kind = forms.ChoiceField(label="Kind", choices=CHOICES)
    wish = forms.ChoiceField(
        label="Wish", choices=CHOICES, widget=forms.RadioSelect, help_text="One of them."
    )
    ends = forms.MultipleChoiceField(
        label="Ends", choices=CHOICES, widget=forms.CheckboxSelectMultiple
    )
    consent = forms.BooleanField(label="I agree", help_text="To what stands above.")
    plan = forms.CharField(label="Plan", widget=forms.HiddenInput)


def every_field(request: HttpRequest) -> HttpResponse:
    form = EveryField(request.POST or None)
    page = engines["django"].from_string(FORM)
    return HttpResponse(page.render({"form": form}, request))


def patterns(request: HttpRequest) -> HttpResponse:
    """All examples of the document, one after the other."""
    examples = re.findall(
        r"^```html\n(.*?)^```$", PATTERNS.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    context: dict[str, Any] = {"examples": mark_safe("\n".join(examples))}  # noqa: S308 - our own document
    page = engines["django"].from_string(
        '{% extends "base.html" %}{% block title %}Patterns{% endblock %}'
        "{% block content %}{{ examples }}{% endblock %}"
    )
    return HttpResponse(page.render(context, request))


def mail(request: HttpRequest) -> HttpResponse:
    context = {
        "subject": "A new password",
        "link": "https://portal.example.org/x/",
        "valid_days": 3,
    }
    return render(request, "email/web/password_reset.html", context | {"person": request.user})


urlpatterns = [
    path("test/every-field/", every_field),
    path("test/patterns/", patterns),
    path("test/mail/", mail),
    path("", include("tests.web.urls")),
]
