"""What letters forget about a person who leaves."""

from collections.abc import Mapping, Sequence

from django.contrib.postgres.fields import ArrayField
from django.db import transaction
from django.db.models import F, Func, JSONField, TextField, Value
from django.db.models.fields.json import KT

from credentials_portal.core.history import Attribution
from credentials_portal.core.personal import ERASED, erase_names, pattern_of_names
from letters.enums import USER_RETIRED, LetterAction, LetterState
from letters.models import LetterEvent, LetterValidationRun, LetterWaiver, ProgramLetter
from letters.services.writing import Change, write_changes

STAFFS_WORDS = ("state_note", "revocation_reason")


@transaction.atomic
def retire_letters(*, names: Mapping[int, Sequence[str]], by: Attribution) -> None:
    """Take the letters of people who leave out of sight, for good, and who they were off them.

    `names` gives their former names by user id. Those are also erased from what staff wrote
    about others. Rows, uuids, dates and the audit's order stay: a letter that was revoked keeps
    the date. Letters of people who left before get no second event.
    """
    letters = (
        ProgramLetter.objects.filter(user_id__in=names)
        .exclude(state=LetterState.REVOKED, state_reason=USER_RETIRED)
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
    changes = []
    for letter in letters:
        is_revoked = letter.state == LetterState.REVOKED
        values = {
            "state": LetterState.REVOKED,
            "state_reason": USER_RETIRED,
            "state_note": "",
            "recipient_name": "",
            "revoked_at": letter.revoked_at if is_revoked else by.at,
            "revoked_by_id": letter.revoked_by_id if is_revoked else by.actor and by.actor.pk,
            "revocation_reason": USER_RETIRED,
        }
        changes.append(Change(letter, LetterAction.RETIRED, values, reason=USER_RETIRED))
    write_changes(changes, by=by)

    _empty_notes(list(names))
    printed = [change.letter.recipient_name for change in changes]
    _erase_elsewhere(*printed, *(name for former in names.values() for name in former))


def _empty_notes(user_ids: Sequence[int]) -> None:
    """Empty what was written about these people themselves."""
    LetterEvent.objects.filter(letter__user_id__in=user_ids).update(
        note="",
        before=Func(
            F("before"),
            Value(["recipient_name", *STAFFS_WORDS], output_field=ArrayField(TextField())),
            template="(%(expressions)s)",
            arg_joiner=" - ",
            output_field=JSONField(),
        ),
    )
    LetterWaiver.objects.filter(user_id__in=user_ids).update(reason=ERASED)


def _erase_elsewhere(*names: str) -> None:
    """Erase names from what was written about others; a namesake's letter keeps its name."""
    erase_names(ProgramLetter.objects.all(), STAFFS_WORDS, *names)
    erase_names(LetterEvent.objects.all(), ["note"], *names)
    erase_names(LetterWaiver.objects.all(), ["reason"], *names)
    erase_names(LetterValidationRun.objects.all(), ["approval_reason"], *names)
    pattern = pattern_of_names(*names)
    if not pattern:
        return
    for key in STAFFS_WORDS:
        named = LetterEvent.objects.filter(**{f"before__{key}__iregex": pattern})
        erased = Func(
            *(KT(f"before__{key}"), Value(pattern), Value(ERASED), Value("gi")),
            function="regexp_replace",
            output_field=TextField(),
        )
        named.update(
            before=Func(
                F("before"),
                Value([key], output_field=ArrayField(TextField())),
                Func(erased, function="to_jsonb", output_field=JSONField()),
                function="jsonb_set",
                output_field=JSONField(),
            )
        )
