"""The rules in SQL against a brute-force reading of the domain document in Python."""

import random
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from credentials_portal.accounts.models import User
from licenses.enums import LIVE, UNLINKED, ExpiryVerdict, LicenseStatus, UnlinkVerdict
from licenses.models import (
    CustomerAgreement,
    CustomerLearner,
    LearnerUnlink,
    License,
    LicenseDowngrade,
    LicenseEvent,
    SubscriptionPlan,
    SubscriptionPlanRenewal,
)
from licenses.selectors import expiry
from licenses.selectors.retirement import needed_for_unlinking
from tests.licenses.factories import (
    AT,
    DAY,
    AgreementFactory,
    CustomerLearnerFactory,
    LearnerFactory,
    LicenseFactory,
    PlanFactory,
    RenewalFactory,
)

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
EMAILS = [f"learner{number}@example.com" for number in range(6)]
ENDS = [
    *(AT - days * DAY for days in (1, 29, 30, 31, 89, 90, 91, 200)),
    *(AT - 90 * DAY - SECOND, AT - 30 * DAY - SECOND, AT - 3 * DAY, AT - 2 * DAY),
    *(AT, AT - SECOND, AT - DAY, AT + SECOND),
    *(AT + 400 * DAY,) * 5,
]
STARTS = [AT - 900 * DAY] * 4 + [AT, AT + 30 * DAY, AT + 30 * DAY + SECOND]


# --- What the domain document says, row by row -----------------------------------------------------


def expected_plans(at: datetime) -> dict[int, ExpiryVerdict]:
    renewals = {
        one.prior_subscription_plan_id: one for one in SubscriptionPlanRenewal.objects.all()
    }
    plans = {plan.pk: plan for plan in SubscriptionPlan.objects.all()}
    verdicts = {}
    for plan in plans.values():
        if plan.expiration_date > at or plan.expiration_processed:
            continue
        last = plan
        while last.pk in renewals and renewals[last.pk].processed:
            last = plans[renewals[last.pk].renewed_subscription_plan_id or 0]
        waiting = renewals.get(last.pk)
        if last.expiration_date > at or (waiting and last != plan):
            verdicts[plan.pk] = ExpiryVerdict.RENEWED
        elif waiting is None:
            verdicts[plan.pk] = ExpiryVerdict.DUE
        elif at < waiting.effective_date + timedelta(hours=48):
            verdicts[plan.pk] = ExpiryVerdict.RENEWAL_WAITS
        else:
            verdicts[plan.pk] = ExpiryVerdict.STUCK_RENEWAL
    return verdicts


def expected_unlinks(at: datetime) -> dict[int, UnlinkVerdict]:
    licenses = License.objects.select_related("subscription_plan__customer_agreement__customer")
    held = [license for license in licenses if license.status in LIVE]
    return {
        license.pk: expected_unlink(license, held, at)
        for license in held
        if license.subscription_plan.expiration_date <= at
    }


def expected_unlink(license: License, held: list[License], at: datetime) -> UnlinkVerdict:
    plan = license.subscription_plan
    agreement = plan.customer_agreement
    if license.renewed_to_id:
        return UnlinkVerdict.RENEWED
    if not agreement.unlink_expired_enabled:
        return UnlinkVerdict.NOT_OPTED_IN
    if at - plan.expiration_date <= timedelta(days=agreement.unlink_after_days):
        return UnlinkVerdict.TOO_RECENT
    if license.events.filter(event_name=UNLINKED).exists():
        return UnlinkVerdict.ALREADY_UNLINKED
    if not license.user_email:
        return UnlinkVerdict.NO_EMAIL
    if not plan.expiration_processed or plan.downgrades.filter(finished_at=None).exists():
        return UnlinkVerdict.DOWNGRADE_OPEN
    return expected_of_link(license, held, at)


def expected_of_link(license: License, held: list[License], at: datetime) -> UnlinkVerdict:
    plan = license.subscription_plan
    links = links_of(license, plan.customer_agreement)
    if links and all(link.status == "unlinked" for link in links):
        return UnlinkVerdict.ALREADY_UNLINKED
    if links and is_given_up(links[0], plan):
        return UnlinkVerdict.GIVEN_UP
    if any(keeps(other, license, at) for other in held):
        return UnlinkVerdict.OTHER_LIVE_LICENSE
    return UnlinkVerdict.UNLINK


def links_of(license: License, agreement: CustomerAgreement) -> list[CustomerLearner]:
    found = CustomerLearner.objects.filter(customer=agreement.customer, role="learner")
    mine = [
        link
        for link in found.select_related("user")
        if link.user_email == license.user_email
        or (link.user and link.user.email == license.user_email)
        or (link.user and license.lms_user_id and link.user.lms_user_id == license.lms_user_id)
    ]
    return sorted(mine, key=lambda link: (link.status, link.pk))


def is_given_up(link: CustomerLearner, plan: SubscriptionPlan) -> bool:
    given_up = LearnerUnlink.objects.filter(customer_learner=link).exclude(given_up_at=None).first()
    if given_up is None:
        return False
    return given_up.license.subscription_plan.expiration_date >= plan.expiration_date


def keeps(other: License, license: License, at: datetime) -> bool:
    plan = other.subscription_plan
    is_theirs = other.user_email == license.user_email or (
        license.lms_user_id is not None and other.lms_user_id == license.lms_user_id
    )
    return (
        plan.customer_agreement_id == license.subscription_plan.customer_agreement_id
        and plan.is_active
        and plan.start_date <= at + timedelta(days=30)
        and plan.expiration_date > at
        and is_theirs
    )


# --- What the SQL says -------------------------------------------------------------------------


def told_plans(at: datetime) -> dict[int, ExpiryVerdict]:
    fragment = expiry.plan_verdicts(at)
    return {pk: ExpiryVerdict(verdict) for pk, verdict in rows(fragment, "plan_id, verdict")}


def told_unlinks(at: datetime, **scope: Any) -> dict[int, UnlinkVerdict]:
    fragment = expiry.unlink_verdicts(at, **scope)
    return {pk: UnlinkVerdict(verdict) for pk, verdict in rows(fragment, "license_id, verdict")}


def rows(fragment: Any, columns: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM ({fragment.sql}) AS v", fragment.params)  # noqa: S608 - the rule
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


# --- Random worlds -------------------------------------------------------------------------------


def build_world(chance: random.Random) -> None:
    people = [
        User.objects.filter(email=email).first() or LearnerFactory.create(email=email)
        for email in EMAILS[:3]
    ]
    ids = {person.email: person.lms_user_id for person in people}
    for _ in range(3):
        agreement = AgreementFactory.create(
            unlink_expired_enabled=chance.random() < 0.8,
            unlink_after_days=chance.choice([30, 90, 90]),
        )
        _build_links(chance, agreement, people)
        plans = [_build_plan(chance, agreement) for _ in range(7)]
        _build_renewals(chance, plans)
        for plan in plans:
            _build_licenses(chance, plan, ids)
    _build_given_up(chance)


def _build_plan(chance: random.Random, agreement: CustomerAgreement) -> SubscriptionPlan:
    ends = chance.choice(ENDS)
    starts = chance.choice([start for start in STARTS if start < ends])
    return PlanFactory.create(
        customer_agreement=agreement,
        start_date=starts,
        expiration_date=ends,
        is_active=chance.random() < 0.8,
        expiration_processed=ends <= AT and chance.random() < 0.6,
    )


def _build_links(chance: random.Random, agreement: CustomerAgreement, people: list[Any]) -> None:
    customer = agreement.customer
    for email in EMAILS[3:]:
        if chance.random() < 0.8:
            CustomerLearnerFactory.create(
                customer=customer,
                by_address=True,
                user_email=email,
                unlinked=chance.random() < 0.2,
            )
    for person in people:
        if chance.random() < 0.8:
            CustomerLearnerFactory.create(
                customer=customer, user=person, unlinked=chance.random() < 0.2
            )


def _build_renewals(chance: random.Random, plans: list[SubscriptionPlan]) -> None:
    """Chains from plans to later ones, each with one before and one after it at most."""
    ordered = sorted(plans, key=lambda plan: (plan.expiration_date, plan.pk))
    for prior, later in pairwise(ordered):
        if chance.random() < 0.5:
            is_processed = chance.random() < 0.6
            RenewalFactory.create(
                prior_subscription_plan=prior,
                renewed_subscription_plan=later if is_processed else None,
                processed=is_processed,
                processed_datetime=AT if is_processed else None,
            )


def _build_licenses(
    chance: random.Random, plan: SubscriptionPlan, ids: dict[str, int | None]
) -> None:
    for email in chance.sample(EMAILS, 3):
        is_known_by_id = email in ids and chance.random() < 0.5
        status = chance.choice(["activated", "activated", "assigned", "revoked"])
        license = LicenseFactory.create(
            **{status: True},
            subscription_plan=plan,
            user_email=f"former-{email}" if is_known_by_id else email,
            **({"lms_user_id": ids[email]} if is_known_by_id and status == "activated" else {}),
        )
        if status == "activated" and chance.random() < 0.1:
            License.objects.filter(pk=license.pk).update(user_email="")
        if chance.random() < 0.1:
            LicenseEvent.objects.create(license=license, event_name=UNLINKED, at=AT)
        if chance.random() < 0.1:
            License.objects.filter(pk=license.pk).update(
                renewed_to=LicenseFactory.create(subscription_plan=plan)
            )
        if chance.random() < 0.05:
            LicenseDowngrade.objects.create(license=license, subscription_plan=plan, queued_at=AT)


def _build_given_up(chance: random.Random) -> None:
    for license in License.objects.filter(status=LicenseStatus.ACTIVATED).exclude(user_email=""):
        links = links_of(license, license.subscription_plan.customer_agreement)
        if links and chance.random() < 0.1:
            LearnerUnlink.objects.get_or_create(
                customer_learner=links[0],
                defaults={"license": license, "queued_at": AT, "given_up_at": AT},
            )


@pytest.mark.parametrize("seed", range(8))
def test_the_rules_say_what_the_domain_document_says(seed: int) -> None:
    build_world(random.Random(seed))  # noqa: S311 - no secret

    for at in (AT, AT + SECOND, AT + 60 * DAY):
        assert told_plans(at) == expected_plans(at)
        assert told_unlinks(at) == expected_unlinks(at)


def test_random_worlds_meet_every_verdict() -> None:
    plans: set[str] = set()
    unlinks: set[str] = set()
    for seed in range(8):
        build_world(random.Random(seed))  # noqa: S311 - no secret
        plans |= set(expected_plans(AT).values())
        unlinks |= set(expected_unlinks(AT).values())

    assert plans == set(ExpiryVerdict)
    assert unlinks == set(UnlinkVerdict)


def test_one_license_and_one_customer_are_judged_as_all_are() -> None:
    build_world(random.Random(1))  # noqa: S311 - no secret
    everybody = told_unlinks(AT)
    some = sorted(everybody)[::3]
    customer = CustomerAgreement.objects.all()[0].customer_id
    theirs = set(
        License.objects.filter(
            subscription_plan__customer_agreement__customer=customer
        ).values_list("pk", flat=True)
    )

    assert told_unlinks(AT, license_ids=some) == {pk: everybody[pk] for pk in some}
    assert told_unlinks(AT, customer_id=customer) == {
        pk: verdict for pk, verdict in everybody.items() if pk in theirs
    }


def test_licenses_that_must_stay_until_their_learner_was_unlinked() -> None:
    build_world(random.Random(2))  # noqa: S311 - no secret
    verdicts = expected_unlinks(AT)
    everything = list(License.objects.values_list("pk", flat=True))

    assert needed_for_unlinking(everything, at=AT) == {
        pk
        for pk, verdict in verdicts.items()
        if verdict in {UnlinkVerdict.UNLINK, UnlinkVerdict.DOWNGRADE_OPEN}
    }
    assert needed_for_unlinking([], at=AT) == set()


def test_the_settings_opt_a_customer_in(settings: Any) -> None:
    agreement = AgreementFactory.create()
    plan = PlanFactory.create(
        customer_agreement=agreement,
        start_date=AT - 300 * DAY,
        expiration_date=AT - 100 * DAY,
        expiration_processed=True,
    )
    license = LicenseFactory.create(activated=True, subscription_plan=plan)
    assert told_unlinks(AT) == {license.pk: UnlinkVerdict.NOT_OPTED_IN}
    assert not expiry.unlinks_learners(agreement)

    uuid = str(agreement.customer.uuid)
    settings.CUSTOMERS_WITH_EXPIRED_LICENSES_UNLINKING_ENABLED = [str(uuid4()), uuid]

    assert told_unlinks(AT) == {license.pk: UnlinkVerdict.UNLINK}
    assert expiry.unlinks_learners(agreement)


def test_an_absurd_number_of_days_stops_no_other_customer() -> None:
    agreement = AgreementFactory.create(unlinking=True, unlink_after_days=2_147_483_647)
    plan = PlanFactory.create(customer_agreement=agreement, expired=True)
    license = LicenseFactory.create(activated=True, subscription_plan=plan)

    assert told_unlinks(AT) == {license.pk: UnlinkVerdict.TOO_RECENT}
