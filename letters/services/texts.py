"""Which text a letter is shown with."""

from collections.abc import Iterable
from dataclasses import dataclass

from letters.enums import TemplateStatus
from letters.models import ProgramLetterTemplate


@dataclass(frozen=True)
class PublishedTexts:
    """Revisions that are published, and the one that each program gives to new letters."""

    published: frozenset[int]
    current: dict[int, int]

    def for_letter(self, program_id: int, *, pinned: int | None) -> int | None:
        """The text of an active letter: the one that it has while that is published."""
        return pinned if pinned in self.published else self.current.get(program_id)


def published_texts(program_ids: Iterable[int]) -> PublishedTexts:
    """The texts of these programs, in one statement.

    New letters get the revision published last; when it was withdrawn they get none, until
    another is published.
    """
    revisions = list(
        ProgramLetterTemplate.objects.filter(program_id__in=set(program_ids))
        .exclude(status=TemplateStatus.DRAFT)
        .order_by("published_at", "revision")
        .values_list("program_id", "pk", "status")
    )
    published = frozenset(pk for _, pk, status in revisions if status == TemplateStatus.PUBLISHED)
    last = {program_id: pk for program_id, pk, _ in revisions}
    return PublishedTexts(published, {p: pk for p, pk in last.items() if pk in published})
