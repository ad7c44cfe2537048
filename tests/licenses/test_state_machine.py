"""Any order of what administrators, learners, operators and time do to the seats of a customer."""

import os
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution, rows_without_true_history
from licenses.enums import LIVE
from licenses.models import CustomerLearner, License, SubscriptionPlan, SubscriptionPlanRenewal
from licenses.selectors import revocation_allowance, seats_in_use
from licenses.services import (
    RetirementRule,
    activate_license,
    assign_licenses,
    auto_apply_license,
    process_renewal,
    provision_licenses,
    remind,
    retire_learner,
    retire_page,
    retirement_pages,
    revoke_licenses,
)
from licenses.signals import (
    license_activated,
    license_assigned,
    license_renewed,
    license_revoked,
)
from tests.licenses.factories import (
    DAY,
    STARTS,
    AgreementFactory,
    LearnerFactory,
    PlanFactory,
    RenewalFactory,
    by_at,
)

PEOPLE = st.integers(0, 1)
PLANS = st.integers(0, 1)

ANNOUNCED = {
    license_assigned: "assigned",
    license_activated: "activated",
    license_revoked: "revoked",
    license_renewed: "renewed",
}

TOLD: dict[tuple[str, str], tuple[str, ...]] = {
    ("assign", "assigned"): ("assigned",),
    ("activate", "activated"): ("activated",),
    ("activate", "unassigned"): (),
    ("auto_apply", "activated"): ("activated",),
    ("revoke", "revoked"): ("revoked",),
    ("renew", "assigned"): ("renewed",),
    ("renew", "activated"): ("renewed",),
    ("retire_old", "revoked"): (),
    ("retire_old", "unassigned"): (),
    ("leave", "unassigned"): ("revoked",),
}
"""What is announced of a new status, by what led to it. A status that is missing here is wrong."""


def other_address(user: User) -> str:
    """Each person has two, of which one is the account's."""
    former, _, domain = user.email.partition("@")
    return f"{former.removeprefix('other.') if 'other.' in former else f'other.{former}'}@{domain}"


class Seats(RuleBasedStateMachine):
    """Two plans of one customer, the first capped and giving licenses by itself; two people."""

    @initialize()
    def start(self) -> None:
        # Each history begins with an empty database.
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.now = STARTS + DAY
        self.provisioned: Counter[int] = Counter()
        self.heard: Counter[tuple[int, str]] = Counter()
        self.agreement = AgreementFactory.create()
        self.plans = [
            PlanFactory.create(
                customer_agreement=self.agreement,
                auto_applied=True,
                capped=True,
                revoke_max_percentage=50,
            ),
            PlanFactory.create(customer_agreement=self.agreement),
        ]
        self.people = LearnerFactory.create_batch(2)
        for signal in ANNOUNCED:
            signal.connect(self.hear)
        self.provision(plan=0, count=4)
        self.provision(plan=1, count=4)

    def hear(self, signal: Any, items: tuple[Any, ...], **_kwargs: Any) -> None:
        self.heard.update((fact.license_id, ANNOUNCED[signal]) for fact in items)

    def by(self, cause: str) -> Attribution:
        return by_at(self.now, cause=cause)

    # --- What happens ------------------------------------------------------------------------

    @rule(days=st.sampled_from([1, 60, 100]))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(plan=PLANS, count=st.integers(1, 3))
    def provision(self, plan: int, count: int) -> None:
        provision_licenses(plan=self.plans[plan], count=count, by=self.by("provision"))
        self.provisioned[self.plans[plan].pk] += count

    @rule(plan=PLANS, people=st.sets(PEOPLE, min_size=1), to_both=st.booleans())
    def assign(self, plan: int, people: set[int], to_both: bool) -> None:
        addresses = [self.people[person].email.upper() for person in people]
        if to_both:
            addresses += [other_address(self.people[person]) for person in people]
        with suppress(DomainError):
            assign_licenses(plan_uuid=self.plans[plan].uuid, emails=addresses, by=self.by("assign"))

    @rule(person=PEOPLE)
    def activate(self, person: int) -> None:
        user = self.people[person]
        keys = License.objects.held_by_user(user).exclude(activation_key=None)
        for key in set(keys.values_list("activation_key", flat=True)):
            assert key
            with suppress(DomainError):
                license = activate_license(activation_key=key, user=user, by=self.by("activate"))
                theirs = License.objects.held_by_user(user).live()
                assert theirs.get(subscription_plan=license.subscription_plan) == license

    @rule(person=PEOPLE)
    def auto_apply(self, person: int) -> None:
        with suppress(DomainError):
            auto_apply_license(
                agreement=self.agreement, user=self.people[person], by=self.by("auto_apply")
            )

    @rule(plan=PLANS, people=st.sets(PEOPLE, min_size=1))
    def revoke(self, plan: int, people: set[int]) -> None:
        before = SubscriptionPlan.objects.get(pk=self.plans[plan].pk)
        allowed = revocation_allowance(before, seats=seats_in_use(before.pk))
        addresses = [self.people[person].email for person in people]

        done = revoke_licenses(plan_uuid=before.uuid, emails=addresses, by=self.by("revoke"))

        assert len(done.successful) + len(done.unsuccessful) == len(people)
        active = sum(one.original_status == "activated" for one in done.successful)
        assert allowed is None or active <= max(allowed, 0)

    @rule(plan=PLANS)
    def remind_all(self, plan: int) -> None:
        remind(plan_uuid=self.plans[plan].uuid, by=self.by("remind"))

    @rule(person=PEOPLE)
    def move_to_the_other_address(self, person: int) -> None:
        self.people[person].email = other_address(self.people[person])
        self.people[person].save()

    @rule(plan=PLANS, person=PEOPLE)
    def come_to_hold_two(self, plan: int, person: int) -> None:
        self.assign(plan, {person}, to_both=True)
        self.activate(person)
        self.move_to_the_other_address(person)

    @rule(plan=PLANS, size=st.integers(0, 6))
    def renew(self, plan: int, size: int) -> None:
        prior = self.plans[plan]
        renewal = SubscriptionPlanRenewal.objects.filter(prior_subscription_plan=prior).first()
        if renewal is None:
            renewal = RenewalFactory.create(
                prior_subscription_plan=prior, renewed_plan_title=f"After {prior.pk}"
            )
        renewal.number_of_licenses = size
        if not renewal.processed:
            renewal.save()
        with suppress(DomainError):
            renewal = process_renewal(renewal_id=renewal.pk, by=self.by("renew"))
            renewed = renewal.renewed_subscription_plan
            assert renewed
            self.provisioned[renewed.pk] = renewal.number_of_licenses
            self.plans[plan] = renewed

    @rule()
    def retire_old(self) -> None:
        for retirement in RetirementRule:
            for pks in retirement_pages(retirement, size=2, at=self.now):
                page = retire_page(rule=retirement, pks=pks, by=self.by("retire_old"))
                assert not page.failed
        assert not list(retirement_pages(RetirementRule.REVOKED, size=2, at=self.now))

    @rule(person=PEOPLE)
    def leave(self, person: int) -> None:
        user = self.people[person]
        retire_learner(
            user_id=user.pk, email=user.email, lms_user_id=user.lms_user_id, by=self.by("leave")
        )
        for found in (License.objects.all(), License.history.all()):
            assert not found.filter(user_email=user.email).exists()
            assert not found.filter(lms_user_id=user.lms_user_id).exists()
        self.people[person] = LearnerFactory.create()

    # --- What is always true -----------------------------------------------------------------

    @invariant()
    def no_seat_is_lost_or_made(self) -> None:
        if self.has_begun():
            for plan_id, count in self.provisioned.items():
                assert seats_in_use(plan_id) + self.ended_with(plan_id) == count

    @invariant()
    def a_person_holds_one_license_of_a_plan(self) -> None:
        if self.has_begun():
            live = License.objects.filter(status__in=LIVE)
            for name in ("user_email", "lms_user_id"):
                known = live.exclude(**{name: None if name == "lms_user_id" else ""})
                held = Counter(known.values_list("subscription_plan_id", name))
                assert not held or max(held.values()) == 1

    @invariant()
    def the_history_says_what_the_rows_say(self) -> None:
        if self.has_begun():
            for model in (License, CustomerLearner, SubscriptionPlan, SubscriptionPlanRenewal):
                assert rows_without_true_history(model) == 0

    @invariant()
    def each_change_has_its_history_row_and_is_announced_once(self) -> None:
        if not self.has_begun():
            return
        told: Counter[tuple[int, str]] = Counter()
        statuses: dict[int, str] = {}
        for row in License.history.order_by("history_id"):
            if row.status != statuses.get(row.id, "unassigned"):
                told.update({(row.id, what) for what in TOLD[row.cause, row.status]})
            statuses[row.id] = row.status
        assert told == self.heard

    def ended_with(self, plan_id: int) -> int:
        """How many licenses of the plan were revoked because it ended: no seat replaces them."""
        revoked = License.objects.filter(subscription_plan_id=plan_id, status="revoked")
        firsts = (
            License.history.filter(id=license.pk, status="revoked").earliest("history_id")
            for license in revoked
        )
        return sum(first.cause == "retire_old" for first in firsts)

    def teardown(self) -> None:
        for signal in ANNOUNCED:
            signal.disconnect(self.hear)
        if self.has_begun():
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    def has_begun(self) -> bool:
        return hasattr(self, "people")


@pytest.mark.django_db
def test_seats_add_up_in_any_history() -> None:
    run_state_machine_as_test(Seats, settings=EXAMPLES)


EXAMPLES = settings(
    max_examples=500 if os.environ.get("FULL") else 20,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
