"""Any order of what learners, administrators, operators and time do to a customer's requests."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import (
    Attribution,
    rows_without_true_history,
    save_with_history,
)
from credentials_portal.core.models import OutboxMessage
from entitlements.models import CourseEntitlement
from licenses.models import License
from licenses.services import link_user, provision_licenses, revoke_licenses
from licenses.signals import license_assigned
from programs.models import CourseEnrollment
from subsidy_requests.enums import TRANSITIONS, DecisionSource, RequestState, SubsidyType
from subsidy_requests.models import REQUESTS_OF, Coupon, CouponCode, LicenseRequest
from subsidy_requests.services.approving import approve_code_requests, approve_license_requests
from subsidy_requests.services.asking import ask_for_code, ask_for_license
from subsidy_requests.services.cancelling import cancel_request
from subsidy_requests.services.configuring import change_configuration, open_configuration
from subsidy_requests.services.coupons import LOCAL_POOL, LocalPool, import_codes
from subsidy_requests.services.declining import decline_requests
from subsidy_requests.services.expiring import expire_page
from subsidy_requests.services.retrying import RetryScope, failed_grants, retry_grants
from subsidy_requests.services.transitions import ANNOUNCED
from tests.licenses.factories import STARTS, CustomerLearnerFactory, LearnerFactory, PlanFactory
from tests.subsidy_requests.factories import CouponFactory, by_at

PEOPLE = st.integers(0, 2)
COURSES = st.sampled_from(["edX+A", "edX+B"])
KINDS = st.sampled_from(SubsidyType)
CHOSEN = st.sets(st.integers(0, 5), min_size=1)
"""Requests by their place among all, the newest first."""

TOLD = {RequestState.FULFILLED, RequestState.DECLINED, RequestState.EXPIRED}
"""States that a learner gets a mail of, when everybody is to be told."""


class Broken(LocalPool):
    def take_codes(
        self, coupon: Coupon, request_uuids: Sequence[UUID], *, at: datetime
    ) -> dict[UUID, int]:
        super().take_codes(coupon, request_uuids, at=at)
        raise ConnectionError


class Requests(RuleBasedStateMachine):
    """A customer with a plan and a coupon, both small; three learners who belong to it."""

    @initialize(kind=KINDS)
    def start(self, kind: SubsidyType) -> None:
        # Each history begins with an empty database.
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.now = STARTS + timedelta(days=1)
        with connection.cursor() as cursor:
            # A table, since what is undone takes with it what was heard of it.
            cursor.execute("CREATE TEMPORARY TABLE heard (request_uuid uuid, state text)")
        self.plan = PlanFactory.create()
        self.customer = self.plan.customer_agreement.customer
        self.coupon = CouponFactory.create(customer=self.customer)
        self.people = LearnerFactory.create_batch(3)
        for person in self.people:
            CustomerLearnerFactory.create(customer=self.customer, user=person)
        self.admin = LearnerFactory.create()
        for signal in ANNOUNCED.values():
            signal.connect(self.hear)
        open_configuration(
            customer=self.customer, subsidy_type=kind, subsidy_requests_enabled=True, by=self.by()
        )
        self.buy(seats=1)
        for number in range(3):
            self.ask(number, kind, course="edX+A", key=None)

    def hear(self, items: tuple[Any, ...], **_kwargs: Any) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO heard VALUES (%s, %s)",
                [(fact.request_uuid, fact.state) for fact in items],
            )

    def heard(self) -> Counter[tuple[UUID, str]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT request_uuid, state FROM heard")
            return Counter(cursor.fetchall())

    def by(self) -> Attribution:
        return by_at(self.now, actor=self.admin)

    def chosen(self, kind: SubsidyType, places: set[int]) -> list[UUID]:
        uuids = list(REQUESTS_OF[kind].objects.order_by("-pk").values_list("uuid", flat=True)[:6])
        return [uuid for place, uuid in enumerate(uuids) if place in places]

    # --- What happens ------------------------------------------------------------------------

    @rule(days=st.sampled_from([1, 40]))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(seats=st.integers(1, 2))
    def buy(self, seats: int) -> None:
        provision_licenses(plan=self.plan, count=seats, by=self.by())
        before = CouponCode.objects.count()
        import_codes(coupon=self.coupon, codes=[f"CODE{before + n}" for n in range(seats)])

    @rule(person=PEOPLE, kind=KINDS, course=COURSES, key=st.sampled_from([None, "a", "b"]))
    def ask(self, person: int, kind: SubsidyType, course: str, key: str | None) -> None:
        ask = ask_for_license if kind == SubsidyType.LICENSE else ask_for_code
        with suppress(DomainError):
            ask(
                user=self.people[person],
                customer=self.customer,
                course_id=course,
                idempotency_key=key,
                by=self.by(),
            )

    @rule(kind=KINDS, places=CHOSEN, works=st.booleans())
    def approve(self, kind: SubsidyType, places: set[int], works: bool) -> None:
        how: dict[str, Any] = {
            "customer": self.customer,
            "uuids": self.chosen(kind, places),
            "source": DecisionSource.ADMIN_PAGE,
            "notify": True,
            "by": self.by(),
        }
        receivers = license_assigned.receivers
        with suppress(DomainError):
            try:
                if kind == SubsidyType.LICENSE:
                    license_assigned.receivers = receivers if works else []
                    approve_license_requests(plan_uuid=self.plan.uuid, **how)
                else:
                    provider = LOCAL_POOL if works else Broken()
                    approve_code_requests(coupon_id=self.coupon.pk, provider=provider, **how)
            finally:
                license_assigned.receivers = receivers

    @rule()
    def approve_everything_that_waits(self) -> None:
        for kind in SubsidyType:
            self.approve(kind, set(range(6)), works=True)

    @rule()
    def retry(self) -> None:
        for group in failed_grants(RetryScope(max_attempts=3)):
            retry_grants(group, by=self.by())

    @rule(kind=KINDS, places=CHOSEN, unlink=st.booleans())
    def decline(self, kind: SubsidyType, places: set[int], unlink: bool) -> None:
        with suppress(DomainError):
            decline_requests(
                REQUESTS_OF[kind],
                customer=self.customer,
                uuids=self.chosen(kind, places),
                source=DecisionSource.ADMIN_API,
                notify=True,
                unlink=unlink,
                by=self.by(),
            )

    @rule(kind=KINDS, places=CHOSEN)
    def cancel(self, kind: SubsidyType, places: set[int]) -> None:
        model = REQUESTS_OF[kind]
        for request in model.objects.filter(uuid__in=self.chosen(kind, places)):
            with suppress(DomainError):
                cancel_request(model, uuid=request.uuid, user=request.user, by=self.by())

    @rule(kind=KINDS)
    def expire(self, kind: SubsidyType) -> None:
        made_before = self.now - timedelta(days=30)
        expire_page(REQUESTS_OF[kind], size=100, made_before=made_before, by=self.by())

    @rule(kind=KINDS | st.none(), is_enabled=st.booleans())
    def configure(self, kind: SubsidyType | None, is_enabled: bool) -> None:
        change_configuration(
            customer=self.customer,
            subsidy_type=kind,
            subsidy_requests_enabled=is_enabled,
            notify=True,
            by=self.by(),
        )

    @rule(person=PEOPLE)
    def revoke(self, person: int) -> None:
        emails = [self.people[person].email]
        revoke_licenses(plan_uuid=self.plan.uuid, emails=emails, by=self.by())

    @rule(person=PEOPLE)
    def come_back(self, person: int) -> None:
        """Who was unlinked for good belongs to the customer again as somebody else."""
        newcomer = LearnerFactory.create()
        link_user(customer=self.customer, user=newcomer, by=self.by())
        self.people[person] = newcomer

    @rule(person=PEOPLE)
    def move_to_another_address(self, person: int) -> None:
        self.people[person].email = f"moved.{self.people[person].email}"
        save_with_history(self.people[person], by=self.by())

    # --- What is always true -----------------------------------------------------------------

    @invariant()
    def each_seat_and_code_that_was_taken_has_its_fulfilled_request(self) -> None:
        if not self.has_begun():
            return
        took = LicenseRequest.objects.filter(state="fulfilled", already_had_license=False)
        assert dict(took.values_list("uuid", "license")) == dict(
            License.objects.exclude(source_request_uuid=None).values_list(
                "source_request_uuid", "pk"
            )
        )
        fulfilled = REQUESTS_OF[SubsidyType.COUPON].objects.filter(state="fulfilled")
        assert dict(fulfilled.values_list("uuid", "coupon_code")) == dict(
            CouponCode.objects.exclude(source_request_uuid=None).values_list(
                "source_request_uuid", "pk"
            )
        )

    @invariant()
    def each_change_is_legal_and_announced_once(self) -> None:
        if not self.has_begun():
            return
        changes: Counter[tuple[UUID, str]] = Counter()
        for model in REQUESTS_OF.values():
            states: dict[UUID, list[str]] = defaultdict(list)
            for row in model.history.order_by("history_id"):
                states[row.uuid].append(row.state)
            for uuid, passed in states.items():
                assert passed[0] == RequestState.REQUESTED
                assert passed[-1] != RequestState.APPROVED
                for before, after in pairwise(passed):
                    assert after in TRANSITIONS[RequestState(before)]
                    changes[uuid, after] += 1
            assert rows_without_true_history(model) == 0
        assert changes == self.heard()

    @invariant()
    def one_mail_tells_of_each_decision(self) -> None:
        if not self.has_begun():
            return
        decided = Counter(
            (kind.value, pk)
            for kind, model in REQUESTS_OF.items()
            for pk in model.objects.filter(state__in=TOLD).values_list("pk", flat=True)
        )
        mails = OutboxMessage.objects.filter(kind="subsidy_requests.mail")
        told = mails.values_list("payload__type", "payload__request")
        assert Counter(told) == decided

    @invariant()
    def nobody_is_enrolled_or_entitled(self) -> None:
        if not self.has_begun():
            return
        assert not CourseEnrollment.objects.exists()
        assert not CourseEntitlement.objects.exists()
        kinds = set(OutboxMessage.objects.values_list("kind", flat=True))
        assert kinds <= {"subsidy_requests.mail", "licenses.link", "licenses.end_link"}

    def teardown(self) -> None:
        for signal in ANNOUNCED.values():
            signal.disconnect(self.hear)
        if self.has_begun():
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    def has_begun(self) -> bool:
        return hasattr(self, "admin")


@pytest.mark.django_db
def test_seats_and_mails_add_up_in_any_history() -> None:
    run_state_machine_as_test(Requests, settings=EXAMPLES)


EXAMPLES = settings(
    max_examples=500 if os.environ.get("FULL") else 15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
