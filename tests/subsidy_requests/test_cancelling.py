"""Learners take their requests back."""

from typing import Any

import pytest

from credentials_portal.core.models import OutboxMessage
from subsidy_requests.enums import DecisionSource, RequestState
from subsidy_requests.models import LicenseRequest
from subsidy_requests.services.cancelling import RequestNotFoundError, cancel_request
from subsidy_requests.services.transitions import IllegalTransitionError
from subsidy_requests.signals import subsidy_request_cancelled
from tests.licenses.factories import AT, DAY, LearnerFactory
from tests.subsidy_requests.conftest import Heard
from tests.subsidy_requests.factories import LicenseRequestFactory, by_at

pytestmark = pytest.mark.django_db


def cancel(request: LicenseRequest, **how: Any) -> LicenseRequest:
    return cancel_request(
        LicenseRequest,
        **{
            "uuid": request.uuid,
            "user": request.user,
            "by": by_at(AT + DAY, actor=request.user),
            **how,
        },
    )


@pytest.mark.parametrize("state", [{}, {"failed": True}])
def test_is_taken_back_by_its_learner(state: dict[str, bool], announced: Heard) -> None:
    request = LicenseRequestFactory.create(**state)

    cancel(request)
    cancel(request)

    request.refresh_from_db()
    assert (request.state, request.decision_source) == (
        RequestState.CANCELLED,
        DecisionSource.LEARNER,
    )
    assert (request.state_changed_at, request.error_code) == (AT + DAY, "")
    assert [signal for signal, _items in announced] == [subsidy_request_cancelled]
    changed = LicenseRequest.history.get(history_type="~")
    assert changed.history_user == request.user
    assert not OutboxMessage.objects.exists()


def test_is_not_there_for_anybody_else() -> None:
    request = LicenseRequestFactory.create()

    with pytest.raises(RequestNotFoundError):
        cancel(request, user=LearnerFactory.create())

    request.refresh_from_db()
    assert request.state == RequestState.REQUESTED


def test_what_is_decided_cannot_be_taken_back() -> None:
    request = LicenseRequestFactory.create(declined=True)

    with pytest.raises(IllegalTransitionError):
        cancel(request)

    request.refresh_from_db()
    assert request.state == RequestState.DECLINED
