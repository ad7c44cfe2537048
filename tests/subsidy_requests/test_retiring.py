"""What is left of a person who leaves, in requests."""

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.history import rows_without_true_history, save_with_history
from credentials_portal.core.models import OutboxMessage
from licenses.models import License
from subsidy_requests.enums import DecisionSource, RequestState
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.approving import approve_license_requests
from tests.licenses.factories import AT, BY, DAY, LearnerFactory, plan_with_seats
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeRequestFactory,
    LicenseRequestFactory,
    by_at,
)

pytestmark = pytest.mark.django_db

LATER = AT + DAY


@pytest.fixture
def ann() -> User:
    ann: User = LearnerFactory.create(username="ann", email="ann@x.org", full_name="Ann Ash")
    return ann


def leave(user: User) -> None:
    retire_user(user=user, at=LATER, actor=None, reason="Asked to leave.")


def words() -> set[str | None]:
    """All that anybody wrote in requests, now and before."""
    columns = ("reason", "decline_reason", "idempotency_key")
    found: set[str | None] = set()
    for model in (LicenseRequest, CouponCodeRequest):
        assert rows_without_true_history(model) == 0
        for rows in (model.objects, model.history):
            for row in rows.values_list(*columns):
                found.update(row)
    return found


def test_what_a_leaver_waits_for_is_cancelled_and_what_was_decided_stays(ann: User) -> None:
    waiting = LicenseRequestFactory.create(user=ann)
    failed = CouponCodeRequestFactory.create(user=ann, failed=True)
    declined = LicenseRequestFactory.create(user=ann, declined=True)
    others = LicenseRequestFactory.create()

    leave(ann)

    for request in (waiting, failed, declined, others):
        request.refresh_from_db()
    assert (waiting.state, waiting.decision_source) == (RequestState.CANCELLED, "command")
    assert (failed.state, failed.error_code) == (RequestState.CANCELLED, "")
    assert (declined.state, others.state) == (RequestState.DECLINED, RequestState.REQUESTED)
    assert waiting.state_changed_at == LATER
    assert OutboxMessage.objects.filter(kind="subsidy_requests.mail").count() == 0


def test_what_was_written_in_their_requests_is_emptied_also_in_the_history(ann: User) -> None:
    request = LicenseRequestFactory.build(
        user=ann,
        customer=plan_with_seats(0).customer_agreement.customer,
        reason="I am ill.",
        idempotency_key="ann-1",
    )
    save_with_history(request, by=BY)
    request.decline_reason = "Get well soon."
    save_with_history(request, by=by_at(AT + DAY / 2))

    leave(ann)

    assert words() == {"", None}


def test_names_are_erased_from_the_requests_of_others(ann: User) -> None:
    request = LicenseRequestFactory.build(
        user=LearnerFactory.create(),
        customer=plan_with_seats(0).customer_agreement.customer,
        reason="Ann Ash (ann@x.org) told me.",
    )
    save_with_history(request, by=BY)

    leave(ann)

    assert words() == {"*** (***) told me.", "", None}


def test_a_seat_of_a_leaver_is_granted_to_the_next(ann: User) -> None:
    plan = plan_with_seats(1)
    customer = plan.customer_agreement.customer
    ConfigurationFactory.create(customer=customer)
    first = LicenseRequestFactory.create(user=ann, customer=customer)
    second = LicenseRequestFactory.create(customer=customer)
    for request, at in ((first, AT), (second, LATER + DAY)):
        (granted,) = approve_license_requests(
            customer=customer,
            uuids=[request.uuid],
            plan_uuid=plan.uuid,
            source=DecisionSource.COMMAND,
            notify=False,
            by=by_at(at),
        )
        assert granted.state == RequestState.FULFILLED
        leave(ann)

    (seat,) = License.objects.all()
    assert seat.source_request_uuid == second.uuid
    assert set(LicenseRequest.objects.values_list("license", flat=True)) == {seat.pk}
