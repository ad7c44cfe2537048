"""What a reviewer sees of a plan: counts, some letters at random, and a page of all of them."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import (
    BooleanField,
    CharField,
    Count,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import MD5, Cast, Concat
from django.http import QueryDict
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from credentials_portal.core.admin import CappedPaginator
from letters.enums import Outcome, PlannedAction, Verdict, describe_check
from letters.models import LetterValidationResult, LetterValidationRun
from programs.selectors import programs_by_title

if TYPE_CHECKING:
    from django.core.paginator import Page

SAMPLE_SIZE = 10
RESULTS_PER_PAGE = 25
REASONS_AT_ONCE = 12
SEEDS = 1_000_000

NOT_APPLIED = "open"
"""How a query names the outcome of letters to which nothing happened: that is empty."""

LEFT = Q(outcome__in=(Outcome.OPEN, Outcome.FAILED))
DECIDED_SINCE = (
    LEFT
    & ~Q(letter__version=F("letter_version"))
    & (Q(letter__state_changed_at__gte=F("run__as_of")) | Q(letter__issued_at__gte=F("run__as_of")))
)
"""Letters that got another state or date after they were planned, and not by the plan."""


class Query(forms.Form):
    """What an address asks to see of a plan; what is malformed is ignored."""

    verdict = forms.ChoiceField(choices=Verdict.choices, required=False)
    check = forms.CharField(max_length=300, required=False)
    action = forms.ChoiceField(choices=PlannedAction.choices, required=False)
    outcome = forms.ChoiceField(
        choices=[(outcome or NOT_APPLIED, label) for outcome, label in Outcome.choices],
        required=False,
    )
    program = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    seed = forms.IntegerField(min_value=0, max_value=SEEDS, required=False)


@dataclass(frozen=True)
class Selection:
    """Which letters of a plan are looked at; nothing chosen: all."""

    verdict: str = ""
    check: str = ""
    action: str = ""
    outcome: str = ""
    program: int | None = None

    @property
    def condition(self) -> Q:
        chosen = {
            "verdict": self.verdict,
            "failed_checks__contains": [self.check] if self.check else None,
            "planned_action": self.action,
            "letter__program": self.program,
        }
        condition = Q(**{lookup: value for lookup, value in chosen.items() if value})
        if self.outcome:
            condition &= Q(outcome="" if self.outcome == NOT_APPLIED else self.outcome)
        return condition

    def address(self, **changes: Any) -> str:
        """The query that asks for this selection, or for one that differs in one thing."""
        query = QueryDict(mutable=True)
        for name, value in {**vars(self), **changes}.items():
            if value:
                query[name] = str(value)
        return f"?{query.urlencode()}"


def parse_query(query: Mapping[str, Any]) -> tuple[Selection, int]:
    """What is asked for, with the seed of its sample: a new one where none is given."""
    form = Query(query)
    form.is_valid()
    given = {name: value for name, value in form.cleaned_data.items() if value is not None}
    seed = given.pop("seed", None)
    return Selection(**given), secrets.randbelow(SEEDS) if seed is None else seed


@dataclass(frozen=True)
class Choice:
    """One thing to filter by; `address` chooses it, or lets go of it where it is chosen."""

    words: str
    count: int
    address: str
    is_chosen: bool
    code: str = ""


@dataclass(frozen=True)
class Review:
    """A plan under a reviewer's eyes, in a number of statements that no size of it changes."""

    run: LetterValidationRun
    selection: Selection
    seed: int
    page_number: str | None = None

    @cached_property
    def results(self) -> "QuerySet[LetterValidationResult]":
        return self.run.results.filter(self.selection.condition)

    @cached_property
    def rows(self) -> "QuerySet[LetterValidationResult]":
        return self.results.select_related("letter__program", "letter__user").annotate(
            is_decided=ExpressionWrapper(DECIDED_SINCE, output_field=BooleanField())
        )

    @cached_property
    def page(self) -> "Page[LetterValidationResult]":
        paginator = CappedPaginator(self.rows.order_by("letter_id"), RESULTS_PER_PAGE)
        return paginator.get_page(self.page_number)

    @cached_property
    def sample(self) -> list[LetterValidationResult]:
        """Letters drawn from the selection; the same ones for the same seed."""
        ticket = Concat(Value(f"{self.seed}:"), Cast("letter_id", CharField()))
        drawn = self.rows.annotate(draw=MD5(ticket)).order_by("draw", "letter_id")
        return list(drawn[:SAMPLE_SIZE])

    @cached_property
    def _counts(self) -> "list[tuple[int, str, str, int, int]]":
        """(program, planned action, outcome, letters, decided since) of the whole plan."""
        return list(
            self.run.results.order_by()
            .values_list("letter__program", "planned_action", "outcome")
            .annotate(letters=Count("pk"), decided=Count("pk", filter=DECIDED_SINCE))
        )

    @property
    def total(self) -> int:
        return int(self.run.counters.get("total", 0))

    @property
    def is_narrowed(self) -> bool:
        return self.selection != Selection()

    @property
    def address_of_sample(self) -> str:
        return f"{self.selection.address(seed=self.seed)}#sample"

    def address_of_page(self, number: int) -> str:
        """Another page, beside the same sample."""
        return self.selection.address(seed=self.seed, page=number)

    @property
    def decided_since(self) -> int:
        return sum(decided for *_rest, decided in self._counts)

    @property
    def left(self) -> int:
        """How many letters the plan would change and has not."""
        return sum(
            count
            for _program, action, outcome, count, _decided in self._counts
            if action != PlannedAction.NONE and outcome in {Outcome.OPEN, Outcome.FAILED}
        )

    @property
    def may_be_put_back(self) -> bool:
        """Whether the plan changed a letter, or failed to put one back."""
        return bool(self.outcomes[Outcome.CHANGED] or self.outcomes[Outcome.FAILED])

    @property
    def outcomes(self) -> Counter[str]:
        return self._summed(lambda row: row[2] or NOT_APPLIED, lambda row: row[1] != "none")

    @property
    def choices(self) -> list[tuple[str, list[Choice], list[Choice]]]:
        """What to filter by, in groups: the first choices of each, and the many others."""
        actions = self._summed(lambda row: row[1])
        programs = self._summed(lambda row: row[0])
        titles = programs_by_title().in_bulk(list(programs))
        reasons = Counter(self.run.counters.get("reasons", {}))
        verdicts = Counter({v: self.run.counters.get(v, 0) for v in Verdict.values})
        groups = [
            (_("Verdict"), self._chosen("verdict", +verdicts, lambda v: Verdict(v).label)),
            (_("Planned"), self._chosen("action", actions, lambda a: PlannedAction(a).label)),
            (_("Reason"), self._chosen("check", reasons, describe_check, shows_code=True)),
            (_("Program"), self._chosen("program", programs, lambda pk: titles[pk].title)),
            (_("Outcome"), self._chosen("outcome", self.outcomes, _words_of_outcome)),
        ]
        return [(n, all_[:REASONS_AT_ONCE], all_[REASONS_AT_ONCE:]) for n, all_ in groups if all_]

    def _chosen(
        self,
        name: str,
        counts: Counter[Any],
        words: Callable[[Any], Any],
        *,
        shows_code: bool = False,
    ) -> list[Choice]:
        chosen = getattr(self.selection, name)
        return [
            Choice(
                words=str(words(value)),
                count=count,
                address=self.selection.address(**{name: "" if value == chosen else value}),
                is_chosen=value == chosen,
                code=value if shows_code else "",
            )
            for value, count in counts.most_common()
        ]

    def _summed(
        self, key: Callable[[Any], Any], condition: Callable[[Any], bool] = lambda _row: True
    ) -> Counter[Any]:
        sums: Counter[Any] = Counter()
        for row in self._counts:
            if condition(row):
                sums[key(row)] += row[3]
        return sums


def _words_of_outcome(outcome: str) -> Any:
    return Outcome("" if outcome == NOT_APPLIED else outcome).label


def reasons_of(results: Iterable[LetterValidationResult]) -> list[tuple[Any, list[str]]]:
    """Results with the words of the checks that failed."""
    return [(row, [describe_check(code) for code in row.failed_checks]) for row in results]
