"""What a program's letters would gain and lose with a text."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, zip_longest

from django.db import connection
from django.db.models import Count, Q

from letters.enums import LetterState, TemplateStatus, Verdict
from letters.models import ProgramLetter, ProgramLetterTemplate
from letters.models.letters import SHOWN, ProgramLetterQuerySet
from letters.selectors.judging import judged_letters

SAMPLE = 10


@dataclass(frozen=True)
class Publication:
    """What publishing a text does: how many letters become visible, and which are not true.

    `unseen` are those of them that nobody could ever see before. `failing` are those that are
    invalid, or that nobody can judge; `reasons` counts their failed checks, and `sample` names
    some of them, of each mixture of reasons in turn, with these. `keeping` counts the letters that
    are shown with another text, `hidden` those that stay hidden, by state.
    """

    appearing: int
    unseen: int
    failing: int
    keeping: int
    reasons: Counter[str]
    hidden: dict[LetterState, int]
    sample: tuple[tuple[ProgramLetter, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Withdrawal:
    """How many letters disappear with one revision, and with all of its program."""

    of_revision: int
    of_program: int


def letters_without_text(program_id: int) -> ProgramLetterQuerySet:
    """Active letters of the program that have no text to be shown with."""
    return ProgramLetter.objects.filter(program_id=program_id, state=LetterState.ACTIVE).exclude(
        content_revision__status=TemplateStatus.PUBLISHED
    )


def publication(program_id: int, *, at: datetime) -> Publication:
    """What publishing a text of the program would do now, in three statements."""
    failing = _failing(program_id, at=at)
    sample_ids = _in_turn(ids for _codes, _count, ids in failing)
    letters = ProgramLetter.objects.select_related("user").defer("evidence").in_bulk(sample_ids)
    codes_of = {pk: codes for codes, _count, ids in failing for pk in ids}
    reasons: Counter[str] = Counter()
    for codes, count, _ids in failing:
        reasons.update(dict.fromkeys(codes, count))
    hidden, appearing, unseen, keeping = {}, 0, 0, 0
    for state, count, shown, new in _by_state(program_id):
        if state == LetterState.ACTIVE:
            appearing, unseen, keeping = count - shown, new, shown
        else:
            hidden[LetterState(state)] = count
    return Publication(
        appearing=appearing,
        unseen=unseen,
        failing=sum(count for _codes, count, _ids in failing),
        keeping=keeping,
        reasons=reasons,
        hidden=hidden,
        sample=tuple((letters[pk], codes_of[pk]) for pk in sample_ids if pk in letters),
    )


def withdrawal(template: ProgramLetterTemplate) -> Withdrawal:
    """What taking this revision back would hide now, in one statement."""
    shown = ProgramLetter.objects.filter(program_id=template.program_id).shown()
    counted = shown.aggregate(
        of_revision=Count("pk", filter=Q(content_revision=template)), of_program=Count("pk")
    )
    return Withdrawal(**counted)


def _failing(program_id: int, *, at: datetime) -> list[tuple[tuple[str, ...], int, list[int]]]:
    """Letters that would appear and fail: each mixture of failed checks, how many letters have
    it, and some of their keys; the most frequent first."""
    judged = judged_letters(letters_without_text(program_id), at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT failed_checks, count(*), (array_agg(letter_id ORDER BY letter_id))[:%s]"  # noqa: S608 - composed of constants
            f" FROM ({judged.sql}) AS judged WHERE verdict <> %s"
            " GROUP BY failed_checks ORDER BY count(*) DESC, failed_checks",
            [SAMPLE, *judged.params, Verdict.VALID],
        )
        return [(tuple(codes), count, ids) for codes, count, ids in cursor.fetchall()]


def _by_state(program_id: int) -> Iterable[tuple[str, int, int, int]]:
    """State, how many letters, how many of them are shown, and how many nobody ever saw."""
    return (
        ProgramLetter.objects.filter(program_id=program_id)
        .order_by("state")
        .values_list("state")
        .annotate(
            letters=Count("pk"),
            shown=Count("pk", filter=SHOWN),
            unseen=Count("pk", filter=Q(first_visible_at=None) & ~SHOWN),
        )
    )


def _in_turn(groups: Iterable[list[int]]) -> list[int]:
    """One of each group, then another of each, up to the size of the sample."""
    rows = zip_longest(*groups)
    return [pk for pk in chain.from_iterable(rows) if pk is not None][:SAMPLE]
