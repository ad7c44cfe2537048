"""Carrying a plan's licenses into the plan that follows it."""

from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from credentials_portal.core.errors import ConflictError, NotFoundError
from credentials_portal.core.events import announce
from credentials_portal.core.history import (
    Attribution,
    save_with_history,
    update_each_with_history,
)
from credentials_portal.core.retries import retry_conflicts
from licenses.enums import LIVE, MAX_LICENSES, LicenseStatus, LicenseTypesToCopy
from licenses.models import License, SubscriptionPlan, SubscriptionPlanRenewal
from licenses.selectors.seats import seats_in_use
from licenses.services.locking import lock_plan
from licenses.services.seats import add_seats, facts_of, licenses_of, take_free_seats
from licenses.signals import license_renewed

COPIED: dict[str, tuple[LicenseStatus, ...]] = {
    LicenseTypesToCopy.ASSIGNED_AND_ACTIVATED: LIVE,
    LicenseTypesToCopy.ACTIVATED: (LicenseStatus.ACTIVATED,),
    LicenseTypesToCopy.NOTHING: (),
}
TITLE_LENGTH = 128


class RenewalNotFoundError(NotFoundError):
    code = "renewal_not_found"


class RenewalRefusedError(ConflictError):
    """The renewal, as it is set up, cannot be processed; `reason` is a code."""

    code = "renewal_refused"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def details(self) -> dict[str, Any]:
        return {"reason": self.reason}


@retry_conflicts
@transaction.atomic
def process_renewal(*, renewal_id: int, by: Attribution) -> SubscriptionPlanRenewal:
    """Copy the plan's licenses into the renewed plan, which is created where there is none yet.

    A processed renewal is returned as it is. Learners keep their licenses of the old plan until
    it ends, and the same activation key. Raises `RenewalRefusedError`, `RenewalNotFoundError`,
    `PlanBusyError`.
    """
    renewal = _lock_renewal(renewal_id)
    if renewal.processed:
        return renewal
    prior, renewed = _lock_plans(renewal)
    require_processable(renewal)
    sources = list(_copied(renewal).order_by("pk").select_for_update(of=("self",), no_key=True))
    if renewed is None:
        renewed = _create_renewed_plan(renewal, prior, by=by)
    missing = renewal.number_of_licenses - seats_in_use(renewed.pk)
    add_seats(renewed.pk, missing, by=by)
    _copy(sources, renewed, by=by)
    _move_auto_apply(renewal, prior, renewed, by=by)
    renewal.renewed_subscription_plan = renewed
    renewal.processed, renewal.processed_datetime = True, by.at
    save_with_history(renewal, by=by)
    return renewal


def require_processable(renewal: SubscriptionPlanRenewal) -> None:
    """Raise `RenewalRefusedError` where the renewal, as it is set up, cannot be processed."""
    prior, number = renewal.prior_subscription_plan, renewal.number_of_licenses
    copied = _copied(renewal).count()
    if number < copied:
        raise RenewalRefusedError(
            "too_few_licenses",
            f"The renewal has {number} licenses, and {copied} are to be copied.",
        )
    if number > MAX_LICENSES and not prior.for_internal_use_only:
        raise RenewalRefusedError(
            "too_many_licenses", f"A plan has {MAX_LICENSES:,} licenses at most."
        )
    if renewal.renewed_subscription_plan_id is None:
        _require_free_title(prior, renewed_title(renewal))
    else:
        seats = License.objects.filter(subscription_plan=renewal.renewed_subscription_plan_id)
        _require_unused(seats, number)


def renewed_title(renewal: SubscriptionPlanRenewal) -> str:
    """The title of the plan that the renewal creates."""
    suffix = f" - Renewal {renewal.effective_date.year}"
    prior = renewal.prior_subscription_plan.title[: TITLE_LENGTH - len(suffix)]
    return renewal.renewed_plan_title or f"{prior}{suffix}"


def _copied(renewal: SubscriptionPlanRenewal) -> QuerySet[License]:
    return License.objects.filter(
        subscription_plan=renewal.prior_subscription_plan_id,
        status__in=COPIED[renewal.license_types_to_copy],
    )


def _lock_renewal(renewal_id: int) -> SubscriptionPlanRenewal:
    renewals = SubscriptionPlanRenewal.objects.select_for_update(of=("self",), no_key=True)
    renewal = renewals.filter(pk=renewal_id).first()
    if renewal is None:
        raise RenewalNotFoundError("There is no such renewal.")
    return renewal


def _lock_plans(
    renewal: SubscriptionPlanRenewal,
) -> tuple[SubscriptionPlan, SubscriptionPlan | None]:
    prior_id, renewed_id = renewal.prior_subscription_plan_id, renewal.renewed_subscription_plan_id
    pks = sorted({prior_id, renewed_id or prior_id})
    locked = {pk: lock_plan(pk=pk) for pk in pks}
    return locked[prior_id], locked[renewed_id] if renewed_id else None


def _require_free_title(prior: SubscriptionPlan, title: str) -> None:
    if prior.customer_agreement.subscriptions.filter(title=title).exists():
        raise RenewalRefusedError(
            "title_taken", "The customer has a plan with the title of the renewed one."
        )


def _require_unused(seats: QuerySet[License], number: int) -> None:
    if seats.exclude(status=LicenseStatus.UNASSIGNED).exists():
        raise RenewalRefusedError(
            "licenses_in_use", "Licenses of the renewed plan are in use already."
        )
    if seats.count() > number:
        raise RenewalRefusedError(
            "more_licenses_than_renewed", "The renewed plan has more licenses than the renewal."
        )


def _create_renewed_plan(
    renewal: SubscriptionPlanRenewal, prior: SubscriptionPlan, *, by: Attribution
) -> SubscriptionPlan:
    plan = SubscriptionPlan(
        title=renewed_title(renewal),
        customer_agreement=prior.customer_agreement,
        start_date=renewal.effective_date,
        expiration_date=renewal.renewed_expiration_date,
        enterprise_catalog_uuid=prior.enterprise_catalog_uuid,
        is_active=prior.is_active,
        product=prior.product,
        is_revocation_cap_enabled=prior.is_revocation_cap_enabled,
        revoke_max_percentage=prior.revoke_max_percentage,
        for_internal_use_only=prior.for_internal_use_only,
        salesforce_opportunity_line_item=renewal.salesforce_opportunity_id,
    )
    save_with_history(plan, by=by)
    return plan


def _copy(sources: list[License], renewed: SubscriptionPlan, *, by: Attribution) -> None:
    pairs = list(zip(sources, take_free_seats(renewed.pk, len(sources)), strict=True))
    update_each_with_history(
        License,
        {
            seat: {
                "status": source.status,
                "user_email": source.user_email,
                "lms_user_id": source.lms_user_id,
                "activation_key": source.activation_key,
                "assigned_date": by.at,
                "activation_date": (
                    renewed.start_date if source.status == LicenseStatus.ACTIVATED else None
                ),
            }
            for source, seat in pairs
        },
        by=by,
    )
    update_each_with_history(
        License, {source.pk: {"renewed_to_id": seat} for source, seat in pairs}, by=by
    )
    previous = {seat: source.pk for source, seat in pairs}
    facts = facts_of(licenses_of(renewed, previous), renewed)
    announce(
        license_renewed,
        [replace(fact, previous_license_id=previous[fact.license_id]) for fact in facts],
        at=by.at,
        actor=by.actor,
        cause=by.cause,
    )


def _move_auto_apply(
    renewal: SubscriptionPlanRenewal,
    prior: SubscriptionPlan,
    renewed: SubscriptionPlan,
    *,
    by: Attribution,
) -> None:
    """The plan from which licenses come by themselves is the renewed one from now on."""
    if not prior.should_auto_apply_licenses:
        return
    prior.should_auto_apply_licenses = False
    renewed.should_auto_apply_licenses = not renewal.disable_auto_apply_licenses
    save_with_history(prior, renewed, by=by)
