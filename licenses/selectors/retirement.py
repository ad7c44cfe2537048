"""Which rows hold a person's data longer than the customer's agreement says."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import F, Q, QuerySet

from licenses.enums import CustomerRole, LicenseStatus, LinkStatus, UnlinkVerdict
from licenses.models import CustomerLearner, License
from licenses.selectors.expiry import unlink_verdicts

KEPT_FOR = F("subscription_plan__customer_agreement__license_duration_before_purge")

DUE_OR_OPEN = (UnlinkVerdict.UNLINK, UnlinkVerdict.DOWNGRADE_OPEN)


def long_expired_licenses(at: datetime) -> QuerySet[License]:
    """Licenses that somebody held when their plan ended, longer ago than the agreement keeps data."""
    ended = License.objects.live().filter(subscription_plan__expiration_date__lt=at - KEPT_FOR)
    return ended.exclude(user_email="")


def long_revoked_licenses(at: datetime) -> QuerySet[License]:
    """Revoked licenses that still name somebody: long ago, or of a plan that ended long ago.

    Of plans for internal use only the latter.
    """
    is_long_ago = Q(revoked_date__lt=at - KEPT_FOR, subscription_plan__for_internal_use_only=False)
    plan_ended = Q(subscription_plan__expiration_date__lt=at - KEPT_FOR)
    revoked = License.objects.filter(is_long_ago | plan_ended, status=LicenseStatus.REVOKED)
    return revoked.exclude(user_email="")


def long_waiting_licenses(at: datetime) -> QuerySet[License]:
    """Licenses that nobody activated, longer than the agreement keeps data; not of plans for
    internal use."""
    return License.objects.filter(
        status=LicenseStatus.ASSIGNED,
        assigned_date__lt=at - KEPT_FOR,
        subscription_plan__for_internal_use_only=False,
    )


def long_unlinked_addresses(at: datetime) -> QuerySet[CustomerLearner]:
    """Addresses of people without an account whose link ended long ago, unless it must not be
    made again: that is known by the address alone."""
    kept_for = F("customer__agreement__license_duration_before_purge")
    return CustomerLearner.objects.filter(
        user=None,
        role=CustomerRole.LEARNER,
        status=LinkStatus.UNLINKED,
        is_relinkable=True,
        unlinked_at__lt=at - kept_for,
    ).exclude(user_email="")


def needed_for_unlinking(license_ids: Sequence[int], *, at: datetime) -> set[int]:
    """Those of these licenses whose learners are due to be unlinked, or are being unlinked: they
    must stay as they are until that was done."""
    if not license_ids:
        return set()
    rule = unlink_verdicts(at, license_ids=license_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT v.license_id FROM ({rule.sql}) AS v WHERE v.verdict = ANY(%s)",  # noqa: S608 - the rule
            [*rule.params, list(DUE_OR_OPEN)],
        )
        return {pk for (pk,) in cursor.fetchall()}
