"""Queueing the entitlements that are out of step with the portal's enrollments."""

from collections.abc import Iterator

from django.db import transaction

from credentials_portal.core.history import Attribution
from entitlements.selectors.standing import out_of_step
from entitlements.services.reviews import open_reviews

Pair = tuple[int, int]


def pages_out_of_step(*, size: int) -> Iterator[list[Pair]]:
    """Learners and runs whose enrollments are over, and still used; a page at a time."""
    after = 0
    columns = ("pk", "user_id", "enrollment_course_run__course_run_id")
    rows = out_of_step().order_by("pk").values_list(*columns)
    while page := list(rows.filter(pk__gt=after)[:size]):
        yield [(user_id, course_run_id) for _pk, user_id, course_run_id in page]
        after = page[-1][0]


@transaction.atomic
def queue_out_of_step(pairs: list[Pair], *, by: Attribution) -> None:
    """Queue them to be looked at, as an event would have done."""
    open_reviews(pairs, cause=by.cause, at=by.at)
