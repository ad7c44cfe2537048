"""`import_license_manager`: customers, plans and licenses of the old service."""

import csv
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils.dateparse import parse_datetime

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import JobRun, OutboxMessage
from licenses.management.commands import import_license_manager as command
from licenses.models import (
    Customer,
    CustomerAgreement,
    License,
    Product,
    SubscriptionPlan,
    SubscriptionPlanRenewal,
)
from tests.letters.commands import Ran, run_command
from tests.licenses.conftest import Heard
from tests.licenses.factories import AgreementFactory, CustomerFactory, LicenseFactory, PlanFactory

pytestmark = pytest.mark.django_db

CUSTOMER, AGREEMENT, PLAN, NEXT_PLAN = (UUID(int=number) for number in range(1, 5))
OLD, NEW = "2025-01-10T08:00:00Z", "2025-02-20T08:00:00Z"
KEY = UUID(int=99)

Item = dict[str, Any]


def item(model: str, pk: object, **fields: object) -> Item:
    return {"model": f"subscriptions.{model}", "pk": pk, "fields": fields}


def agreement(**fields: object) -> Item:
    given = {
        "enterprise_customer_uuid": CUSTOMER,
        "enterprise_customer_slug": "acme",
        "enterprise_customer_name": "Acme Ltd",
        "license_duration_before_purge": "60 00:00:00",
        "modal_header_text": None,
    }
    return item("customeragreement", AGREEMENT, **{**given, **fields})


def plan(uuid: UUID = PLAN, **fields: object) -> Item:
    given = {
        "created": OLD,
        "title": f"Plan {uuid.int}",
        "start_date": "2025-01-01T00:00:00Z",
        "expiration_date": "2026-01-01T00:00:00Z",
        "customer_agreement": AGREEMENT,
        "is_active": True,
        "product": None,
    }
    return item("subscriptionplan", uuid, **{**given, **fields})


def seat(number: int, status: str = "unassigned", email: str | None = None, **fields: Any) -> Item:
    given: dict[str, object] = {
        "status": status,
        "user_email": email,
        "subscription_plan": PLAN,
        "activation_key": None if status == "unassigned" else KEY,
        "assigned_date": None if status == "unassigned" else OLD,
        "activation_date": OLD if status == "activated" else None,
        "revoked_date": OLD if status == "revoked" else None,
        "renewed_to": None,
    }
    return item("license", UUID(int=number), **{**given, **fields})


def bring(tmp_path: Path, *items: Item, more: tuple[object, ...] = ()) -> Ran:
    file = tmp_path / "dump.json"
    file.write_text(json.dumps(items, default=str), encoding="utf-8")
    return run_command("import_license_manager", file, *more)


def seats() -> dict[int, tuple[str, str]]:
    stored = License.objects.values_list("uuid", "status", "user_email")
    return {uuid.int: (status, email) for uuid, status, email in stored}


def test_brings_everything_in_whatever_order_it_was_dumped(
    tmp_path: Path, announced: Heard
) -> None:
    ran = bring(
        tmp_path,
        item("historicallicense", 1, status="assigned"),
        item(
            "subscriptionplanrenewal",
            7,
            prior_subscription_plan=PLAN,
            renewed_subscription_plan=NEXT_PLAN,
            number_of_licenses=2,
            effective_date="2026-01-01T00:00:00Z",
            renewed_expiration_date="2027-01-01T00:00:00Z",
            processed=True,
            processed_datetime=NEW,
        ),
        seat(11, "activated", "Anna@Example.com", lms_user_id=5, renewed_to=UUID(int=12)),
        seat(12, "activated", "anna@example.com", lms_user_id=5, subscription_plan=NEXT_PLAN),
        seat(13, "revoked", "bert@example.com", auto_applied=True),
        seat(14),
        plan(product=3, salesforce_opportunity_line_item=None),
        plan(NEXT_PLAN, start_date="2026-01-01T00:00:00Z", expiration_date="2027-01-01T00:00:00Z"),
        item("product", 3, name="B2B", plan_type=9, netsuite_id=1),
        item("plantype", 9, label="Standard Paid", description="paid"),
        agreement(),
    )

    assert (ran.code, ran.error) == (0, "")
    assert ran.summary == {
        "plantype": {"imported": 1},
        "product": {"imported": 1},
        "customeragreement": {"imported": 1},
        "subscriptionplan": {"imported": 2},
        "license": {"imported": 4},
        "subscriptionplanrenewal": {"imported": 1},
        "renewed_to": {"imported": 1},
        "ignored": 1,
    }
    customer = Customer.objects.get()
    assert (customer.uuid, customer.slug, customer.name) == (CUSTOMER, "acme", "Acme Ltd")
    assert CustomerAgreement.objects.get().license_duration_before_purge.days == 60
    stored = SubscriptionPlan.objects.get(uuid=PLAN)
    assert (stored.title, stored.created, stored.is_active) == ("Plan 3", parse_datetime(OLD), True)
    assert stored.product == Product.objects.get(name="B2B", plan_type__label="Standard Paid")
    assert stored.renewal.renewed_subscription_plan is not None
    assert stored.renewal.renewed_subscription_plan.uuid == NEXT_PLAN
    assert seats() == {
        11: ("activated", "anna@example.com"),
        12: ("activated", "anna@example.com"),
        13: ("revoked", "bert@example.com"),
        14: ("unassigned", ""),
    }
    first = License.objects.get(uuid=UUID(int=11))
    assert first.renewed_to is not None
    assert (first.renewed_to.uuid, first.activation_key, first.lms_user_id) == (
        UUID(int=12),
        KEY,
        5,
    )
    for model in (Customer, CustomerAgreement, SubscriptionPlan, SubscriptionPlanRenewal, License):
        assert rows_without_true_history(model) == 0
    assert announced == []
    assert not OutboxMessage.objects.exists()


def test_again_it_changes_nothing(tmp_path: Path) -> None:
    items = (
        agreement(),
        plan(),
        seat(11, "assigned", "anna@example.com", renewed_to=UUID(int=13)),
        seat(12, "assigned", "anna@example.com", assigned_date=NEW),
        seat(13, "assigned", "carl@example.com", activation_key=None),
    )
    bring(tmp_path, *items)
    before = list(License.objects.order_by("pk").values())
    history = License.history.count()

    again = bring(tmp_path, *items)

    assert (again.code, again.summary) == (
        0,
        {
            "customeragreement": {"unchanged": 1},
            "subscriptionplan": {"unchanged": 1},
            "license": {"unchanged": 3},
            "ignored": 0,
        },
    )
    assert list(License.objects.order_by("pk").values()) == before
    assert License.history.count() == history == 3


@pytest.mark.parametrize("page", [1, 2, 5_000])
@pytest.mark.parametrize("dry", [False, True])
def test_a_learner_keeps_the_activated_license_else_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int, dry: bool
) -> None:
    monkeypatch.setattr("licenses.management.commands.import_license_manager.PAGE", page)
    report = tmp_path / "report.csv"

    ran = bring(
        tmp_path,
        agreement(),
        plan(),
        seat(11, "assigned", "anna@example.com", assigned_date=NEW),
        seat(12, "activated", "ANNA@example.com"),
        seat(13, "assigned", "anna@example.com", assigned_date=NEW),
        seat(21, "assigned", "bert@example.com", assigned_date=OLD),
        seat(22, "assigned", "bert@example.com", assigned_date=NEW),
        seat(31, "activated", "carl@example.com", lms_user_id=6, activation_date=NEW),
        seat(32, "activated", "karl@example.com", lms_user_id=6),
        more=("--output", report, *(["--dry-run"] if dry else [])),
    )

    assert ran.code == 0
    with report.open(encoding="utf-8", newline="") as file:
        told = {row["id"]: row["outcome"] for row in csv.DictReader(file)}
    freed = {UUID(uuid).int for uuid, outcome in told.items() if outcome == "freed"}
    assert freed == {11, 13, 21, 32}
    assert seats() == (
        {}
        if dry
        else {
            11: ("unassigned", ""),
            12: ("activated", "anna@example.com"),
            13: ("unassigned", ""),
            21: ("unassigned", ""),
            22: ("assigned", "bert@example.com"),
            31: ("activated", "carl@example.com"),
            32: ("unassigned", ""),
        }
    )
    assert rows_without_true_history(License) == 0


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_dry_run_tells_what_the_run_then_does_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(command, "PAGE", size)
    next_seat = UUID(int=31)
    items = (
        agreement(),
        plan(),
        plan(NEXT_PLAN),
        seat(11, "assigned", "anna@example.com"),
        seat(12, "activated", "anna@example.com", lms_user_id=5, renewed_to=next_seat),
        seat(13, "activated", "formerly@example.com", lms_user_id=5, activation_date=NEW),
        seat(14, "assigned", "anna@example.com", assigned_date=NEW),
        seat(14, "assigned", "twice@example.com"),
        seat(15, "assigned", "bert@example.com", renewed_to=next_seat),
        seat(16, "assigned", "carl@example.com", renewed_to=next_seat),
        seat(31, "assigned", "bert@example.com", subscription_plan=NEXT_PLAN),
    )

    would = bring(tmp_path, *items, more=("--dry-run",))
    assert not Customer.objects.exists()
    did = bring(tmp_path, *items)

    assert (would.code, would.summary, would.stderr) == (did.code, did.summary, did.stderr)
    assert seats() == {
        **dict.fromkeys((11, 12), ("unassigned", "")),
        13: ("activated", "formerly@example.com"),
        14: ("assigned", "anna@example.com"),
        15: ("assigned", "bert@example.com"),
        16: ("assigned", "carl@example.com"),
        31: ("assigned", "bert@example.com"),
    }
    assert did.summary["renewed_to"] == {"imported": 1, "rejected": 1}


def test_a_seat_that_a_request_took_here_stays(tmp_path: Path) -> None:
    here = LicenseFactory.create(assigned=True, source_request_uuid=UUID(int=77))
    uuid = here.subscription_plan.uuid

    bring(tmp_path, seat(11, "activated", here.user_email, subscription_plan=uuid))

    assert seats() == {here.uuid.int: ("assigned", here.user_email), 11: ("unassigned", "")}


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        (seat(11, "unassigned", "anna@example.com"), ("unassigned", "")),
        (seat(11, "assigned", "anna@example.com", activation_key=None), None),
        (seat(11, "activated", "anna@example.com", activation_date=None), None),
        (seat(11, "revoked", "anna@example.com", revoked_date=None, modified=NEW), None),
    ],
    ids=["unassigned", "assigned", "activated", "revoked"],
)
def test_mends_what_the_life_cycle_tells_how(
    tmp_path: Path, broken: Item, mended: tuple[str, str] | None
) -> None:
    ran = bring(tmp_path, agreement(), plan(), broken)

    assert (ran.code, ran.summary["license"]) == (0, {"mended": 1})
    assert seats() == {11: mended or (broken["fields"]["status"], "anna@example.com")}


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([agreement(), plan(), seat(1, "assigned")], "assigned, but without an e-mail address"),
        (
            [agreement(), plan(), seat(1, "activated", "a@b.org", lms_user_id="x")],
            "lms_user_id is no id",
        ),
        ([agreement(), plan(), seat(1, "activated")], "activated, but by nobody"),
        (
            [
                agreement(),
                plan(),
                seat(1, "activated", "a@b.org", activation_date=None, assigned_date=None),
            ],
            "activated, but without any date",
        ),
        (
            [agreement(), plan(), seat(1, "revoked", revoked_date=None)],
            "revoked, but without any date",
        ),
        ([agreement(), plan(), seat(1, "lost")], "the status is unknown"),
        ([agreement(), plan(), seat(1, "assigned", "a\0@b.org")], "it holds a NUL character"),
        ([agreement(), plan(), seat(1, "assigned", "nobody")], "user_email is no e-mail address"),
        (
            [agreement(), plan(), seat(1, assigned_date="2025-01-01T00:00:00")],
            "assigned_date is no instant with a zone",
        ),
        ([seat(1)], "subscription_plan is not here"),
        (
            [agreement(), plan(), seat(1, "assigned", "a@b.org", renewed_to=UUID(int=2))],
            "renewed_to is not here",
        ),
        ([plan()], "its agreement is not here"),
        ([agreement(), plan(product=3)], "there is no such product in the files"),
        (
            [agreement(), plan(expiration_date="2025-01-01T00:00:00Z")],
            "it does not start before it ends",
        ),
        (
            [agreement(), plan(title="Same"), plan(NEXT_PLAN, title="Same")],
            "the agreement has another plan of this title",
        ),
        (
            [agreement(), plan(revoke_max_percentage=101)],
            "revoke_max_percentage: Ensure this value is less than or equal to 100.",
        ),
        ([agreement(enterprise_customer_uuid=None)], "the customer's uuid is malformed"),
    ],
)
def test_rejects_what_nobody_can_mend(tmp_path: Path, items: list[Item], reason: str) -> None:
    ran = bring(tmp_path, *items)

    assert (ran.code, ran.error) == (1, "1 failed.")
    assert ran.stderr.splitlines() == [f"dump.json, row {len(items)}: {reason}"]
    assert "a@b.org" not in str(JobRun.objects.values())


def test_a_customer_of_the_portal_gets_the_agreement(tmp_path: Path) -> None:
    here = CustomerFactory.create(uuid=CUSTOMER, slug="here", name="Here")

    ran = bring(tmp_path, agreement())

    assert (ran.code, CustomerAgreement.objects.get().customer) == (0, here)
    assert Customer.objects.get().name == "Here"


def test_refuses_an_agreement_beside_the_one_that_is_here(tmp_path: Path) -> None:
    AgreementFactory.create(customer__uuid=CUSTOMER)

    ran = bring(tmp_path, agreement())

    assert ran.code == 1
    assert "the customer has another agreement" in ran.stderr


def test_messages_about_expiry_come_from_their_own_table(tmp_path: Path) -> None:
    texts = {
        "modal_header_text": "Ended",
        "expired_subscription_modal_messaging": "<p>Your plan ended.</p>",
        "button_label_in_modal": "More",
        "url_for_button_in_modal": "https://acme.example.com/",
    }
    messaging = item(
        "customsubscriptionexpirationmessaging",
        1,
        customer_agreement=AGREEMENT,
        has_custom_license_expiration_messaging=True,
        **texts,
    )

    ran = bring(tmp_path, agreement(), messaging)

    stored = CustomerAgreement.objects.get()
    assert (ran.code, ran.summary["customeragreement"]) == (0, {"imported": 1})
    assert stored.has_custom_license_expiration_messaging
    assert {name: getattr(stored, name) for name in texts} == texts


@pytest.mark.parametrize(
    ("markup", "kept"),
    [("<p>Bye.<script>alert(1)</script></p>", "<p>Bye.</p>"), ("<script>alert(1)</script>", "")],
)
def test_messages_about_expiry_are_kept_without_what_could_run(
    tmp_path: Path, markup: str, kept: str
) -> None:
    texts = {
        "modal_header_text": "Ended",
        "expired_subscription_modal_messaging": markup,
        "button_label_in_modal": "More",
        "url_for_button_in_modal": "https://acme.example.com/",
    }

    ran = bring(tmp_path, agreement(has_custom_license_expiration_messaging=True, **texts))

    stored = CustomerAgreement.objects.get()
    assert ran.summary["customeragreement"] == {"imported" if kept else "mended": 1}
    assert stored.expired_subscription_modal_messaging == kept
    assert stored.has_custom_license_expiration_messaging is bool(kept)


def test_incomplete_messages_are_switched_off(tmp_path: Path) -> None:
    ran = bring(
        tmp_path,
        agreement(has_custom_license_expiration_messaging=True, modal_header_text="Ended"),
    )

    assert ran.summary["customeragreement"] == {"mended": 1}
    assert not CustomerAgreement.objects.get().has_custom_license_expiration_messaging


def test_reads_licenses_from_csv(tmp_path: Path) -> None:
    here = PlanFactory.create()
    file = tmp_path / "licenses.csv"
    file.write_text(
        "uuid,status,user_email,subscription_plan,activation_key,assigned_date\n"
        f"{UUID(int=11)},assigned,Anna@example.com,{here.uuid},{KEY},{OLD}\n"
        f"{UUID(int=12)},unassigned,,{here.uuid},,\n",
        encoding="utf-8",
    )

    ran = run_command("import_license_manager", file, "--model", "license")

    assert (ran.code, ran.summary) == (0, {"license": {"imported": 2}, "ignored": 0})
    assert seats() == {11: ("assigned", "anna@example.com"), 12: ("unassigned", "")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "uuid\n", "A CSV file needs --model."),
        ("a.json", "{}", "cannot be read: it is not a list"),
        ("a.json", '[{"model": "subscriptions.license", "pk"', "cannot be read: "),
        ("a.json", "[1]", "is no dump: item 1 lacks its model or its fields."),
        ("missing.json", None, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    file, good = tmp_path / name, tmp_path / "good.json"
    good.write_text(json.dumps([agreement()], default=str), encoding="utf-8")
    if content is not None:
        file.write_text(content, encoding="utf-8")

    ran = run_command("import_license_manager", good, file)

    assert (ran.code, ran.summary) == (2, {})
    assert message in ran.error
    assert not Customer.objects.exists()


def test_a_dump_that_is_larger_than_a_chunk_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credentials_portal.core.json_lists.CHUNK", 17)

    bring(tmp_path, agreement(), plan(), seat(11), seat(12))

    assert sorted(seats()) == [11, 12]
