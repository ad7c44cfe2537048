import pytest
from django.db import IntegrityError, transaction

from credentials_portal.core.history import rows_without_true_history, save_with_history
from subsidy_requests.enums import TRANSITIONS, WIRE_STATES, DecisionSource, RequestState
from subsidy_requests.models import LicenseRequest
from subsidy_requests.services.transitions import IllegalTransitionError, lock_requests, move
from tests.licenses.factories import AT, BY, DAY
from tests.subsidy_requests.factories import LicenseRequestFactory, by_at

pytestmark = pytest.mark.django_db


def test_each_state_has_a_wire_state_of_its_own_and_a_line_of_transitions() -> None:
    assert set(WIRE_STATES) == set(TRANSITIONS) == set(RequestState)
    assert len(set(WIRE_STATES.values())) == len(RequestState)


def test_declines_with_one_history_row_each() -> None:
    requests = LicenseRequestFactory.create_batch(2)
    for request in requests:
        save_with_history(request, by=BY)
    reviewer = requests[0].user

    with transaction.atomic():
        locked = lock_requests(LicenseRequest, pk__in=[request.pk for request in requests])
        move(
            locked,
            RequestState.DECLINED,
            source=DecisionSource.ADMIN_API,
            values={"reviewed_at": AT + DAY, "reviewer_id": reviewer.pk},
            by=by_at(AT + DAY, actor=reviewer),
        )

    for request in requests:
        request.refresh_from_db()
        assert (request.state, request.state_changed_at, request.reviewer) == (
            RequestState.DECLINED,
            AT + DAY,
            reviewer,
        )
    assert rows_without_true_history(LicenseRequest) == 0


def test_what_is_decided_stays_decided_and_nothing_else_changes() -> None:
    declined, requested = (
        LicenseRequestFactory.create(declined=True),
        LicenseRequestFactory.create(),
    )

    with pytest.raises(IllegalTransitionError) as refusal, transaction.atomic():
        move([declined, requested], RequestState.CANCELLED, source=DecisionSource.LEARNER, by=BY)

    requested.refresh_from_db()
    assert refusal.value.requests == (declined,)
    assert requested.state == RequestState.REQUESTED


def test_a_learner_has_one_open_request_of_a_customer() -> None:
    request = LicenseRequestFactory.create()

    with pytest.raises(IntegrityError, match="license_request_open_once"), transaction.atomic():
        LicenseRequestFactory.create(user=request.user, customer=request.customer)

    LicenseRequestFactory.create(user=request.user)
