"""Forgetting learners: of plans that ended long ago, and those who leave."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from credentials_portal.accounts.models import normalise_email
from credentials_portal.core.bisect import in_halves
from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, update_with_history
from credentials_portal.core.personal import erase_names
from credentials_portal.core.retries import retry_conflicts
from licenses.enums import LIVE, LicenseStatus
from licenses.models import CustomerLearner, License, MailWording
from licenses.selectors.retirement import (
    long_expired_licenses,
    long_revoked_licenses,
    long_unlinked_addresses,
    long_waiting_licenses,
    needed_for_unlinking,
)
from licenses.services.links import unlink_learners
from licenses.services.locking import lock_plan
from licenses.services.seats import FREE_SEAT, facts_of
from licenses.signals import license_revoked

logger = structlog.get_logger(__name__)

FORGOTTEN: dict[str, Any] = {"user_email": ""}
NOBODYS: dict[str, Any] = {**FORGOTTEN, "lms_user_id": None}


class RetirementRule(StrEnum):
    """Why a row is due to forget its learner."""

    EXPIRED = "expired"
    REVOKED = "revoked"
    NEVER_ACTIVATED = "never_activated"
    UNLINKED_ADDRESS = "unlinked_address"


DUE: dict[RetirementRule, Callable[[datetime], QuerySet[Any]]] = {
    RetirementRule.EXPIRED: long_expired_licenses,
    RetirementRule.REVOKED: long_revoked_licenses,
    RetirementRule.NEVER_ACTIVATED: long_waiting_licenses,
    RetirementRule.UNLINKED_ADDRESS: long_unlinked_addresses,
}

WAITING_FOR_UNLINKING = frozenset({RetirementRule.EXPIRED, RetirementRule.NEVER_ACTIVATED})
"""Who is to be unlinked is known by the license alone, which therefore waits while that is due."""


@dataclass(frozen=True)
class RetiredPage:
    """What became of the rows of a page, by primary key."""

    retired: Sequence[int] = ()
    waiting: Collection[int] = ()
    failed: Sequence[int] = ()


def retirement_pages(rule: RetirementRule, *, size: int, at: datetime) -> Iterator[list[int]]:
    """The rows that are due by this rule, in pages, in the order of their keys."""
    after = 0
    due = DUE[rule](at).order_by("pk").values_list("pk", flat=True)
    while page := list(due.filter(pk__gt=after)[:size]):
        yield page
        after = page[-1]


def preview_page(*, rule: RetirementRule, pks: Sequence[int], at: datetime) -> RetiredPage:
    """What `retire_page` would do."""
    waiting = needed_for_unlinking(pks, at=at) if rule in WAITING_FOR_UNLINKING else set()
    return RetiredPage([pk for pk in pks if pk not in waiting], waiting)


@retry_conflicts
@transaction.atomic
def retire_page(*, rule: RetirementRule, pks: Sequence[int], by: Attribution) -> RetiredPage:
    """Retire those of these rows that are due, with what their history holds.

    Nothing is announced: no learner loses what they could still use. A license stays while the
    unlinking of its learner is due or open. A row that cannot be written fails alone.
    """
    chosen = preview_page(rule=rule, pks=pks, at=by.at)
    failed: list[int] = []

    def fail(pk: int, error: Exception) -> None:
        logger.error("license_not_retired", rule=rule, id=pk, error=type(error).__name__)
        failed.append(pk)

    pages = in_halves(chosen.retired, lambda some: _retire(rule, some, by=by), failed=fail)
    return RetiredPage([pk for page in pages for pk in page], chosen.waiting, failed)


def _retire(rule: RetirementRule, pks: Sequence[int], *, by: Attribution) -> list[int]:
    values: dict[RetirementRule, dict[str, Any]] = {
        RetirementRule.EXPIRED: {
            **FORGOTTEN,
            "status": LicenseStatus.REVOKED,
            "revoked_date": by.at,
        },
        RetirementRule.NEVER_ACTIVATED: FREE_SEAT,
    }
    due = DUE[rule](by.at).filter(pk__in=pks)
    retired = [pk for (pk,) in update_with_history(due, values.get(rule, FORGOTTEN), by=by)]
    history: Any = due.model.history
    history.filter(id__in=retired).exclude(user_email="").update(user_email="")
    return retired


@retry_conflicts
@transaction.atomic
def retire_learner(
    *,
    user_id: int | None,
    email: str,
    lms_user_id: int | None,
    names: Sequence[str] = (),
    by: Attribution,
) -> int:
    """Erase a person from licenses, links and mails, live rows and history alike.

    Seats that they hold are free again, and announced as revoked; revoked ones stay, as
    nobody's. Their links end. `names` are erased from what administrators wrote in mails. Returns
    how many licenses were theirs.
    """
    known = License.objects.held_by(email=email, lms_user_id=lms_user_id)
    addresses = {normalise_email(email), *known.values_list("user_email", flat=True)} - {""}
    # A former address, known by the id in the LMS, may hold others that do not know the id.
    held = License.objects.filter(_theirs(addresses, lms_user_id))
    plans = list(held.values_list("subscription_plan_id", flat=True))
    for plan_id in sorted(set(plans)):
        _free_seats(held.filter(subscription_plan_id=plan_id), plan_id, by=by)
    update_with_history(held.exclude(status__in=LIVE), NOBODYS, by=by)
    License.history.filter(_theirs(addresses, lms_user_id)).update(**NOBODYS)
    _end_links(user_id, addresses, by=by)
    erase_names(MailWording.objects.all(), ["greeting", "closing"], *names)
    return len(plans)


def _free_seats(held: QuerySet[License], plan_id: int, *, by: Attribution) -> None:
    plan = lock_plan(pk=plan_id)
    live = held.live()  # type: ignore[attr-defined]  # the model's own QuerySet
    freed = list(live.order_by("pk").select_for_update(of=("self",), no_key=True))
    if not freed:
        return
    update_with_history(License.objects.filter(pk__in=[one.pk for one in freed]), FREE_SEAT, by=by)
    # The row does not say any more which request took the seat.
    facts = [
        replace(fact, status=LicenseStatus.UNASSIGNED, lms_user_id=None)
        for fact in facts_of(freed, plan)
    ]
    announce(license_revoked, facts, at=by.at, actor=by.actor, cause=by.cause)


def _end_links(user_id: int | None, addresses: Collection[str], *, by: Attribution) -> None:
    theirs = Q(user_email__in=addresses)
    if user_id is not None:
        theirs |= Q(user_id=user_id)
    links = CustomerLearner.objects.filter(theirs)
    unlink_learners(links, by=by)
    update_with_history(links.exclude(user_email=""), FORGOTTEN, by=by)
    CustomerLearner.history.filter(user_email__in=addresses).update(user_email="")


def _theirs(addresses: Collection[str], lms_user_id: int | None) -> Q:
    """Licenses, or their history, of somebody with these addresses or this id in the LMS."""
    theirs = Q(user_email__in=addresses)
    return theirs if lms_user_id is None else theirs | Q(lms_user_id=lms_user_id)
