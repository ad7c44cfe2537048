"""Which letters a list is asked for, and in which order."""

from collections.abc import Mapping
from typing import Any

from django.db.models import F, Q
from rest_framework import serializers

from credentials_portal.api.strict import InstantField, PageQuery, TextField
from letters.enums import IssuedVia, LetterState
from letters.models import ProgramLetterQuerySet

ORDERINGS = {
    "created": "pk",
    "issued_at": "issued_at",
    "changed_at": "modified",
    "state_changed_at": "state_changed_at",
}
MOST_UUIDS = 100


class LetterQuery(PageQuery):
    uuid = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=MOST_UUIDS,
        help_text=f"These letters; repeat it for up to {MOST_UUIDS}.",
    )
    state = serializers.ListField(
        child=serializers.ChoiceField(LetterState.choices),
        required=False,
        help_text="In one of these states; repeat it for several.",
    )
    program = serializers.UUIDField(required=False, help_text="Of this program.")
    username = TextField(required=False, max_length=150, help_text="Of this learner.")
    reason = TextField(
        required=False,
        max_length=300,
        help_text="In their state for this reason: a whole code, such as `core_course:NBx+DS2`,"
        " or its kind, `core_course`.",
    )
    issued_via = serializers.ChoiceField(IssuedVia.choices, required=False)
    issued_from = InstantField(required=False, help_text="Dated at or after this instant.")
    issued_to = InstantField(required=False, help_text="Dated before this instant.")
    changed_from = InstantField(
        required=False, help_text="Whose last change of any kind was at or after this instant."
    )
    changed_to = InstantField(
        required=False, help_text="Whose last change of any kind was before this instant."
    )
    ordering = serializers.ChoiceField(
        [f"{sign}{name}" for name in ORDERINGS for sign in ("", "-")],
        required=False,
        help_text="Oldest first, or newest first with `-`; `created` by default. Letters without"
        " the date come last.",
    )


def filter_letters(
    letters: ProgramLetterQuerySet, query: Mapping[str, Any]
) -> ProgramLetterQuerySet:
    """The letters that fulfil all of a valid `LetterQuery`, in its order."""
    lookups = {
        "uuid": "uuid__in",
        "state": "state__in",
        "program": "program__uuid",
        "username": "user__username",
        "issued_via": "issued_via",
        "issued_from": "issued_at__gte",
        "issued_to": "issued_at__lt",
        "changed_from": "modified__gte",
        "changed_to": "modified__lt",
    }
    letters = letters.filter(**{lookups[name]: query[name] for name in query if name in lookups})
    if "reason" in query:
        kind = query["reason"]
        letters = letters.filter(Q(state_reason=kind) | Q(state_reason__startswith=f"{kind}:"))
    ordering = query.get("ordering", "created")
    column = F(ORDERINGS[ordering.removeprefix("-")])
    by_date = column.desc if ordering.startswith("-") else column.asc
    return letters.order_by(by_date(nulls_last=True), "pk")
