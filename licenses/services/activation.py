"""A learner takes a license into use."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from django.db import transaction

from credentials_portal.accounts.models import User, normalise_email
from credentials_portal.core.errors import ConflictError, NotFoundError
from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, update_with_history
from credentials_portal.core.retries import retry_conflicts
from licenses.enums import LIVE, LicenseStatus, Notice
from licenses.models import CustomerAgreement, License, SubscriptionPlan
from licenses.selectors.plans import auto_applicable_plan
from licenses.services.links import link_user
from licenses.services.locking import lock_plan
from licenses.services.notices import queue_learner_mails
from licenses.services.seats import (
    FREE_SEAT,
    NotEnoughSeatsError,
    facts_of,
    licenses_of,
    take_free_seats,
)
from licenses.services.utilization import tell_admins_of_use
from licenses.signals import license_activated


class LicenseNotFoundError(NotFoundError):
    """No license of this learner, in a plan that is active and current, has this key."""

    code = "license_not_found"


class LicenseRevokedError(ConflictError):
    code = "license_revoked"


class NotAutoApplicableError(ConflictError):
    """The agreement has no plan from which licenses come by themselves now."""

    code = "not_auto_applicable"


class NoSeatLeftError(ConflictError):
    code = "no_seat_left"


class LearnerUnknownError(ConflictError):
    """The account has neither an address nor an id in the LMS, by which a license would find it."""

    code = "learner_unknown"


@retry_conflicts
@transaction.atomic
def activate_license(*, activation_key: UUID, user: User, by: Attribution) -> License:
    """Activate the license that this learner was given under this key; an activated one stays.

    Where the learner holds several of the plan one remains, the activated one or else the one
    assigned last, and the others are free again; the one that remains is returned. Raises
    `LicenseNotFoundError`, `LicenseRevokedError`, `PlanBusyError`.
    """
    plan = _plan_of_key(activation_key, user=user, by=by)
    theirs = list(
        License.objects.held_by_user(user)
        .filter(subscription_plan=plan)
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
    named = [license for license in theirs if license.activation_key == activation_key]
    live = [license for license in theirs if license.status in LIVE]
    if not named:
        raise _not_found()
    if not any(license in live for license in named):
        raise _revoked()
    kept = max(live, key=_worth)
    _free([license for license in live if license is not kept], by=by)
    if kept.status == LicenseStatus.ACTIVATED:
        return licenses_of(plan, [kept.pk])[0]
    update_with_history(
        License.objects.filter(pk=kept.pk, status=LicenseStatus.ASSIGNED),
        {
            "status": LicenseStatus.ACTIVATED,
            "activation_date": by.at,
            "lms_user_id": user.lms_user_id,
        },
        by=by,
    )
    return _taken_into_use(plan, kept.pk, user=user, notice=Notice.ACTIVATED, by=by)


@retry_conflicts
@transaction.atomic
def auto_apply_license(*, agreement: CustomerAgreement, user: User, by: Attribution) -> License:
    """Give this person a license of the plan that gives them by itself; one they hold stays.

    Raises `NotAutoApplicableError`, `LicenseRevokedError` (of the plan: not a second time),
    `NoSeatLeftError`, `LearnerUnknownError`, `PlanBusyError`.
    """
    plan = _lock_auto_applicable(agreement, by=by)
    if not user.email and user.lms_user_id is None:
        raise LearnerUnknownError("This account has no e-mail address, so no license can be its.")
    theirs = License.objects.held_by_user(user).filter(subscription_plan=plan)
    held = theirs.live().order_by("pk").first()
    if held:
        held.subscription_plan = plan
        return held
    if theirs.filter(status=LicenseStatus.REVOKED).exists():
        raise _revoked()
    try:
        (seat,) = take_free_seats(plan.pk, 1)
    except NotEnoughSeatsError:
        raise NoSeatLeftError("Every license of this plan is in use.") from None
    update_with_history(
        License.objects.filter(pk=seat),
        {
            "status": LicenseStatus.ACTIVATED,
            "user_email": normalise_email(user.email),
            "lms_user_id": user.lms_user_id,
            "activation_key": uuid4(),
            "assigned_date": by.at,
            "last_remind_date": by.at,
            "activation_date": by.at,
            "auto_applied": True,
        },
        by=by,
    )
    license = _taken_into_use(plan, seat, user=user, notice=Notice.AUTO_APPLIED, by=by)
    tell_admins_of_use(plan, at=by.at)
    return license


def _plan_of_key(activation_key: UUID, *, user: User, by: Attribution) -> SubscriptionPlan:
    """The plan that the key opens for this learner, locked.

    A renewed license has the key of the one before; the plan that started last counts.
    """
    licenses = License.objects.held_by_user(user).filter(
        activation_key=activation_key,
        subscription_plan__in=SubscriptionPlan.objects.current(by.at).filter(is_active=True),
    )
    newest = licenses.order_by("-subscription_plan__start_date", "-pk")
    plan_id = newest.values_list("subscription_plan_id", flat=True).first()
    if plan_id is None:
        raise _not_found()
    return lock_plan(pk=plan_id)


def _lock_auto_applicable(agreement: CustomerAgreement, *, by: Attribution) -> SubscriptionPlan:
    plan = auto_applicable_plan(agreement, at=by.at)
    if plan:
        plan = lock_plan(pk=plan.pk)
        if plan.is_auto_applicable(by.at):
            return plan
    raise NotAutoApplicableError("No license comes by itself under this agreement now.")


def _worth(license: License) -> tuple[bool, float, int]:
    assigned = license.assigned_date.timestamp() if license.assigned_date else 0.0
    return license.status == LicenseStatus.ACTIVATED, assigned, license.pk


def _free(licenses: Sequence[License], *, by: Attribution) -> None:
    if licenses:
        theirs = License.objects.filter(pk__in=[license.pk for license in licenses])
        update_with_history(theirs, FREE_SEAT, by=by)


def _taken_into_use(
    plan: SubscriptionPlan, pk: int, *, user: User, notice: Notice, by: Attribution
) -> License:
    """Announce, link and write, once the row says so."""
    (license,) = licenses_of(plan, [pk])
    facts = facts_of([license], plan)
    announce(license_activated, facts, at=by.at, actor=by.actor, cause=by.cause)
    link_user(customer=plan.customer_agreement.customer, user=user, by=by)
    queue_learner_mails(notice, [license], plan=plan, at=by.at)
    return license


def _not_found() -> LicenseNotFoundError:
    return LicenseNotFoundError("There is no license of yours with this key in a current plan.")


def _revoked() -> LicenseRevokedError:
    return LicenseRevokedError("Your license of this plan was revoked.")
