"""Approve and decline requests by the hundred, and read lists of half a million."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from rest_framework.test import APIClient

from benchmarks.measuring import Measurement, measured
from benchmarks.seats import AT, BY, DAY, sold_plan
from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from licenses.models import Customer, CustomerLearner, License, SubscriptionPlan
from licenses.services import appoint_administrator, open_customer
from subsidy_requests.enums import DecisionSource
from subsidy_requests.models import LicenseRequest, SubsidyRequestCustomerConfiguration
from subsidy_requests.services.approving import approve_license_requests
from subsidy_requests.services.declining import decline_requests

REQUESTS = {"S": 100_000, "M": 500_000}
LEARNERS = 5_000
BATCH, ROUNDS = 100, 5
MOST_STATEMENTS_OF_A_BATCH = 30
MOST_STATEMENTS_OF_A_LIST = 6
MOST_TIMES_THE_FLOOR = 8.0
OLD = {"approve": 607, "decline": 503}
"""Statements for a hundred in the old service, without seats, history of licenses and mails."""

ASKED = """
    INSERT INTO subsidy_requests_licenserequest (
        uuid, user_id, customer_id, course_id, course_title, course_partners, reason, state,
        state_changed_at, decision_source, reviewed_at, decline_reason, error_code, grant_attempts,
        unlink_requested, unlink_result, already_had_license, created, modified)
    SELECT gen_random_uuid(), (%(users)s::bigint[])[1 + n %% %(learners)s],
           (%(customers)s::bigint[])[1 + n / %(learners)s], 'edX+C' || n %% 50, '', '[]', '',
           made.state, made.at, CASE made.state WHEN 'requested' THEN '' WHEN 'declined'
           THEN 'command' WHEN 'cancelled' THEN 'learner' ELSE 'expiry' END,
           CASE made.state WHEN 'declined' THEN made.at END, '', '', 0, false, '', false,
           made.at, made.at
    FROM generate_series(0, %(count)s - 1) AS n
    CROSS JOIN LATERAL (
        SELECT (ARRAY['requested', 'requested', 'declined', 'cancelled', 'expired'])[1 + n %% 5]
                   AS state,
               %(at)s - make_interval(mins => n) AS at
    ) AS made
"""
LINKED = """
    INSERT INTO licenses_customerlearner (
        customer_id, user_id, user_email, role, status, is_relinkable, linked_at, created, modified)
    SELECT %(customer)s, id, '', 'learner', 'linked', true, %(at)s, %(at)s, %(at)s
    FROM unnest(%(users)s::bigint[]) AS learner (id)
"""
MAILS = """
    INSERT INTO core_outboxmessage (
        uuid, kind, dedupe_key, key, scope, payload, payload_version, status, reason, attempts,
        due_at, call_began, created_at)
    SELECT gen_random_uuid(), 'subsidy_requests.mail', 'floor.' || id, 'floor:' || id, '',
           jsonb_build_object('request', id), 1, 'pending', '', 0, %(at)s, false, %(at)s FROM changed
"""
BARE_APPROVE = f"""
    WITH wanted AS MATERIALIZED (
        SELECT request.id, request.uuid, learner.email,
               row_number() OVER (ORDER BY request.id) AS place
        FROM subsidy_requests_licenserequest AS request
        JOIN accounts_user AS learner ON learner.id = request.user_id
        WHERE request.uuid = ANY(%(uuids)s::uuid[])
    ),
    seat AS MATERIALIZED (
        SELECT id, row_number() OVER (ORDER BY id) AS place FROM (
            SELECT id FROM licenses_license
            WHERE subscription_plan_id = %(plan)s AND status = 'unassigned'
            ORDER BY id LIMIT %(count)s FOR NO KEY UPDATE
        ) AS free
    ),
    taken AS (
        UPDATE licenses_license AS license
        SET status = 'assigned', user_email = lower(wanted.email), modified = %(at)s,
            activation_key = gen_random_uuid(), assigned_date = %(at)s,
            source_request_uuid = wanted.uuid
        FROM wanted JOIN seat USING (place) WHERE seat.id = license.id
        RETURNING license.*
    ),
    seat_history AS (
        INSERT INTO licenses_historicallicense ({{seats}}, history_date, history_type, cause)
        SELECT {{seats}}, %(at)s, '~', '' FROM taken
    ),
    changed AS (
        UPDATE subsidy_requests_licenserequest AS request
        SET state = 'fulfilled', decision_source = 'command', state_changed_at = %(at)s,
            reviewed_at = %(at)s, modified = %(at)s, license_id = taken.id,
            subscription_plan_id = %(plan)s
        FROM taken WHERE taken.source_request_uuid = request.uuid
        RETURNING request.*
    ),
    history AS (
        INSERT INTO subsidy_requests_historicallicenserequest (
            {{requests}}, history_date, history_type, cause)
        SELECT {{requests}}, %(at)s, '~', '' FROM changed CROSS JOIN generate_series(1, 2)
    )
    {MAILS}
"""
BARE_DECLINE = f"""
    WITH changed AS (
        UPDATE subsidy_requests_licenserequest
        SET state = 'declined', decision_source = 'command', state_changed_at = %(at)s,
            reviewed_at = %(at)s, modified = %(at)s
        WHERE uuid = ANY(%(uuids)s::uuid[])
        RETURNING *
    ),
    history AS (
        INSERT INTO subsidy_requests_historicallicenserequest (
            {{requests}}, history_date, history_type, cause)
        SELECT {{requests}}, %(at)s, '~', '' FROM changed
    )
    {MAILS}
"""


def measure(size: str) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    count = REQUESTS[size]
    users = User.objects.bulk_create(
        User(username=f"asker{number}", email=f"asker{number}@x.example", password="!")
        for number in range(LEARNERS)
    )
    customers = [
        open_customer(slug=f"asked-{number}", name=f"Asked {number}", by=BY).customer
        for number in range(count // LEARNERS)
    ]
    plan = _plan(users)
    _execute(ASKED, users=users, customers=customers, count=count, learners=LEARNERS)
    _vacuum()
    print(f"\nSubsidy requests: {count:,} of {len(customers)} customers")
    _measure_decisions("approve", plan, lambda uuids: _approve(plan, uuids), BARE_APPROVE)
    _measure_decisions("decline", plan, lambda uuids: _decline(plan, uuids), BARE_DECLINE)
    _measure_reads(customers[0], users[0])


def _plan(users: list[User]) -> SubscriptionPlan:
    """With a seat for each request that is approved, and learners who belong to the customer."""
    plan = sold_plan("requests", seats=2 * BATCH * ROUNDS, ended=-300)
    customer = plan.customer_agreement.customer
    SubsidyRequestCustomerConfiguration.objects.create(
        customer=customer, subsidy_requests_enabled=True, subsidy_type="license"
    )
    _execute(LINKED, users=users, customer=customer.pk)
    return plan


def _measure_decisions(
    name: str, plan: SubscriptionPlan, decide: Callable[[list[UUID]], int], bare: str
) -> None:
    """The best of some rounds each, by turns, on requests of their own."""
    floors, works = list[Measurement](), list[Measurement]()
    for _round in range(ROUNDS):
        uuids = _new_requests(plan)
        with measured(f"floor: one bare statement for {BATCH}, undone") as floor:
            _bare(bare, uuids, plan)
        with measured(f"{name} {BATCH} (old: {OLD[name]} statements)") as work:
            done = decide(uuids)
        _require_all(name, done, uuids)
        floors.append(floor)
        works.append(work)
    floor, work = (min(some, key=lambda one: one.seconds) for some in (floors, works))
    floor.show()
    work.show(floor)
    if max(one.statements for one in works) > MOST_STATEMENTS_OF_A_BATCH:
        raise SystemExit(f"{name}: more than {MOST_STATEMENTS_OF_A_BATCH} statements")
    if work.seconds > MOST_TIMES_THE_FLOOR * floor.seconds:
        raise SystemExit(f"{name} is too slow")


def _require_all(name: str, done: int, uuids: list[UUID]) -> None:
    requests = LicenseRequest.objects.filter(uuid__in=uuids)
    mails = OutboxMessage.objects.filter(
        kind="subsidy_requests.mail",
        payload__request__in=list(requests.values_list("pk", flat=True)),
    )
    seats = License.objects.filter(source_request_uuid__in=uuids).count()
    histories = LicenseRequest.history.filter(uuid__in=uuids, history_type="~").count()
    is_approval = name == "approve"
    wanted = (BATCH, BATCH, BATCH if is_approval else 0, BATCH * (2 if is_approval else 1))
    if (done, mails.count(), seats, histories) != wanted:
        raise SystemExit(f"{name}: not all were decided, with seats, history and mails")


def _measure_reads(customer: Customer, learner: User) -> None:
    """What the old front ends ask, as a customer's administrator, the operator and a learner."""
    admin = User.objects.create_user("reviewer", "reviewer@x.example")
    appoint_administrator(customer=customer, email=admin.email, by=BY)
    of_customer = f"enterprise_customer_uuid={customer.uuid}"
    for name, user, address in (
        ("a customer's waiting ones", admin, f"?{of_customer}&state=requested&page_size=20"),
        ("an administrator's hundred", admin, "?page_size=100"),
        ("a customer's overview", admin, f"overview/?{of_customer}"),
        ("the operator's hundred", User.objects.create_superuser("operator"), "?page_size=100"),
        ("a learner's own waiting ones", learner, "?state=requested"),
    ):
        client = APIClient()
        client.force_authenticate(user)
        path = f"/api/v1/license-requests/{address}"
        client.get(path)
        with measured(f"GET license-requests/: {name}") as work:
            answer = client.get(path)
        work.show()
        if answer.status_code != 200 or not answer.json():
            raise SystemExit(f"{path} does not answer")
        if work.statements > MOST_STATEMENTS_OF_A_LIST:
            raise SystemExit(f"{path} needs too many statements")


def _approve(plan: SubscriptionPlan, uuids: list[UUID]) -> int:
    approved = approve_license_requests(
        customer=plan.customer_agreement.customer,
        uuids=uuids,
        plan_uuid=plan.uuid,
        source=DecisionSource.COMMAND,
        notify=True,
        by=BY,
    )
    return len(approved)


def _decline(plan: SubscriptionPlan, uuids: list[UUID]) -> int:
    declined = decline_requests(
        LicenseRequest,
        customer=plan.customer_agreement.customer,
        uuids=uuids,
        source=DecisionSource.COMMAND,
        notify=True,
        by=BY,
    )
    return len(declined)


def _new_requests(plan: SubscriptionPlan) -> list[UUID]:
    """A hundred, of learners of the customer who wait for nothing and hold nothing."""
    customer = plan.customer_agreement.customer
    busy = LicenseRequest.objects.filter(customer=customer).values("user")
    learners = CustomerLearner.objects.filter(customer=customer).exclude(user__in=busy)
    requests = LicenseRequest.objects.bulk_create(
        LicenseRequest(
            user_id=user_id,
            customer=customer,
            course_id="edX+C1",
            state_changed_at=AT - DAY,
        )
        for user_id in learners.order_by("pk").values_list("user_id", flat=True)[:BATCH]
    )
    return [request.uuid for request in requests]


def _bare(statement: str, uuids: list[UUID], plan: SubscriptionPlan) -> None:
    seats, requests = (
        ", ".join(f'"{field.column}"' for field in model._meta.concrete_fields)
        for model in (License, LicenseRequest)
    )
    with transaction.atomic():
        _execute(
            statement.format(seats=seats, requests=requests),
            uuids=[str(uuid) for uuid in uuids],
            plan=plan.pk,
            count=BATCH,
        )
        transaction.set_rollback(True)


def _execute(statement: str, **values: Any) -> None:
    given = {
        name: [row.pk for row in value] if name in {"users", "customers"} else value
        for name, value in values.items()
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, {"at": AT, **given})


def _vacuum() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
