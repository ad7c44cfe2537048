"""Every operation of the schema, with whatever the schema allows and forbids.

Requests go through the WSGI application to the database, as a server would send them.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.signals import request_finished, request_started
from django.core.validators import validate_email
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from credentials_portal.accounts.models import User
from credentials_portal.wsgi import application
from entitlements.models import CourseEntitlement
from letters.models import ProgramLetter
from licenses.models import License
from subsidy_requests.models import LicenseRequest
from tests.api.conftest import TokenFactory
from tests.entitlements.factories import EntitlementFactory
from tests.letters.factories import graduates, issue, one_course_program, publish_text
from tests.licenses.pages.now import give, learner, plan_now
from tests.programs.factories import CourseCertificateFactory
from tests.subsidy_requests.factories import ConfigurationFactory, LicenseRequestFactory

pytestmark = pytest.mark.django_db

FROZEN = ("/api/v1/", "/api/entitlements/v1/", "/api/v2/", "/records/")


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254


# The RFC allows for addresses that nobody has, and that Django refuses.
schemathesis.openapi.format("email", st.emails().filter(_is_address))
schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
schema.app = application

thorough = settings(
    max_examples=300 if os.environ.get("FULL") else 10,
    deadline=None,
    # One database and one of each thing for all examples of an operation.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def letter() -> ProgramLetter:
    program, run = one_course_program()
    publish_text(program)
    [letter] = issue(program, *graduates(run))
    return letter


@pytest.fixture
def license() -> License:
    """A license that waits to be activated, of a plan with a hundred seats."""
    [license] = give(plan_now(100), learner())
    return license


@pytest.fixture
def known(letter: ProgramLetter, license: License) -> Mapping[str, UUID | str]:
    """What there is, by its name in paths."""
    plan = license.subscription_plan
    customer = plan.customer_agreement.customer
    ConfigurationFactory.create(customer=customer)
    request: LicenseRequest = LicenseRequestFactory.create(customer=customer)
    entitlement: CourseEntitlement = EntitlementFactory.create()
    return {
        "letter_uuid": letter.uuid,
        "license_uuid": license.uuid,
        "subscription_uuid": plan.uuid,
        "customer_agreement_uuid": plan.customer_agreement.uuid,
        "customer_uuid": customer.uuid,
        "request_uuid": request.uuid,
        "entitlement_uuid": entitlement.uuid,
        "program_hex": letter.program.uuid.hex,
        "written_uuid": letter.program.uuid,
        "certificate_uuid": CourseCertificateFactory.create().uuid,
    }


@pytest.fixture
def as_service(issue_token: TokenFactory) -> Mapping[str, str]:
    """Headers of a service that may do everything with letters, licenses, requests for them and
    entitlements."""
    token = issue_token()
    worker = User.objects.get(username="lms_worker")
    worker.groups.add(Group.objects.get(name="Registrars"))
    worker.user_permissions.set(
        Permission.objects.filter(
            content_type__app_label__in=("licenses", "entitlements", "subsidy_requests")
        )
        | Permission.objects.filter(codename="retire_user")
    )
    return {"Authorization": f"Bearer {token}"}


@schema.parametrize()
@thorough
def test_a_service_gets_what_the_schema_says(
    case: Case[Any], as_service: Mapping[str, str], known: Mapping[str, UUID | str]
) -> None:
    name_what_there_is(case, known)

    with one_connection():
        case.call_and_validate(headers=dict(as_service), excluded_checks=beyond_schema(case))


@schema.parametrize()
@thorough
def test_a_stranger_gets_what_the_schema_says(
    case: Case[Any], known: Mapping[str, UUID | str]
) -> None:
    cache.clear()
    name_what_there_is(case, known)

    with one_connection():
        case.call_and_validate(excluded_checks=beyond_strangers(case))


def beyond_schema(case: Case[Any]) -> list[Any]:
    """The checks that frozen resources cannot pass: rules of theirs are beyond what a schema says,
    such as addresses or filters, and not both."""
    return [positive_data_acceptance] if case.path.startswith(FROZEN) else []


def beyond_strangers(case: Case[Any]) -> list[Any]:
    """The check that paths cannot pass which lead strangers to sign in, whatever they sent."""
    return [negative_data_rejection] if case.path.startswith("/records/programs/") else []


def name_what_there_is(case: Case[Any], known: Mapping[str, UUID | str]) -> None:
    """Ask half of the time for what there is: a random uuid is never found."""
    for name, given in case.path_parameters.items():
        if _is_even(given):
            case.path_parameters[name] = str(known[name])


def _is_even(given: Any) -> bool:
    try:
        return UUID(str(given)).int % 2 == 0
    except ValueError:
        return False


@contextmanager
def one_connection() -> Iterator[None]:
    """Between requests a server drops a connection in the midst of a transaction: the test's."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in signals:
            signal.connect(close_old_connections)
