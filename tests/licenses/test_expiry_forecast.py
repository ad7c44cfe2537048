"""`expiry_forecast`: who loses what on a date, before anything was done."""

import csv
from pathlib import Path

import pytest

from credentials_portal.core.models import JobRun
from licenses.selectors.expiry import forecast, steps
from tests.letters.commands import Ran, run_command
from tests.licenses.factories import AT, DAY, AgreementFactory, LicenseFactory, PlanFactory
from tests.licenses.test_unlink_expired_licenses import holder

pytestmark = pytest.mark.django_db

LATER = AT + 100 * DAY


def tell(*arguments: object) -> Ran:
    return run_command("expiry_forecast", *arguments, "--as-of", LATER.isoformat())


def test_tells_of_a_date_to_come_without_changing_anything(tmp_path: Path) -> None:
    plan = PlanFactory.create(
        customer_agreement=AgreementFactory.create(unlinking=True), expiration_date=AT + DAY
    )
    anna = holder(plan)
    bert = holder(plan, "bert@example.com")
    other = PlanFactory.create(
        customer_agreement=plan.customer_agreement, expiration_date=LATER + DAY
    )
    LicenseFactory.create(activated=True, subscription_plan=other, user_email=bert.user_email)
    customer = plan.customer_agreement.customer

    ran = tell("--output", tmp_path / "forecast.csv")

    assert (ran.code, ran.summary["customers"]) == (
        0,
        {
            customer.slug: {
                "downgrade": {"due": 2},
                "unlink": {"other_live_license": 1, "unlink": 1},
            }
        },
    )
    with (tmp_path / "forecast.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            (row["learner"], row["step"], row["happens"], row["verdict"])
            for row in csv.DictReader(file)
        ]
    assert rows == [
        (anna.user_email, "downgrade", "true", "due"),
        (bert.user_email, "downgrade", "true", "due"),
        (anna.user_email, "unlink", "true", "unlink"),
        (bert.user_email, "unlink", "false", "other_live_license"),
    ]
    plan.refresh_from_db()
    assert not plan.expiration_processed
    assert not JobRun.objects.exists()


def test_tells_of_one_customer(tmp_path: Path) -> None:
    plans = PlanFactory.create_batch(2, expired=True)
    licenses = [LicenseFactory.create(assigned=True, subscription_plan=plan) for plan in plans]
    customer = plans[0].customer_agreement.customer

    by_slug, by_uuid = tell("--customer", customer.slug), tell("--customer", customer.uuid)

    expected = {customer.slug: {"downgrade": {"due": 1}, "unlink": {"not_opted_in": 1}}}
    assert by_slug.summary["customers"] == by_uuid.summary["customers"] == expected
    shown = list(forecast(LATER, customer_id=customer.pk, limit=1))
    assert [row.license_uuid for row in shown] == [licenses[0].uuid]
    assert [step.learners for step in steps(LATER, customer_id=customer.pk)] == [1, 1]


def test_an_unknown_customer_is_an_error() -> None:
    assert tell("--customer", "nobody").code == 2


def test_nothing_ends() -> None:
    assert tell().summary["customers"] == {}
