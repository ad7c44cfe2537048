"""The pool of a coupon's codes."""

from uuid import uuid4

import pytest
from django.db import transaction

from credentials_portal.core.history import rows_without_true_history
from subsidy_requests.models import Coupon, CouponCode
from subsidy_requests.services.coupons import (
    LOCAL_POOL,
    CodeTooLongError,
    CouponExistsError,
    CouponNotFoundError,
    CouponUnusableError,
    import_codes,
    lock_usable_coupon,
    open_coupon,
)
from tests.letters.conftest import Statements
from tests.licenses.factories import AT, BY, DAY, INSTANT, CustomerFactory
from tests.subsidy_requests.factories import CouponCodeFactory, CouponFactory

pytestmark = pytest.mark.django_db


def codes_of(coupon: Coupon) -> list[str]:
    return list(coupon.codes.order_by("code").values_list("code", flat=True))


def test_a_coupon_is_opened_empty_with_its_history() -> None:
    customer = CustomerFactory.create()

    coupon = open_coupon(customer=customer, title="Spring", ends_at=AT + DAY, by=BY)

    assert (coupon.customer, coupon.is_active, codes_of(coupon)) == (customer, True, [])
    assert rows_without_true_history(Coupon) == 0


def test_a_customer_has_a_title_once() -> None:
    coupon = CouponFactory.create()

    with pytest.raises(CouponExistsError):
        open_coupon(customer=coupon.customer, title=coupon.title, by=BY)

    assert Coupon.objects.count() == 1


def test_imported_codes_are_there_once() -> None:
    coupon = CouponFactory.create()
    CouponCodeFactory.create(coupon=coupon, code="B")

    added = import_codes(coupon=coupon, codes=["A", " C ", "", "C", "B"])

    assert added == 2
    assert codes_of(coupon) == ["A", "B", "C"]
    assert import_codes(coupon=coupon, codes=["A", "B", "C"]) == 0


def test_a_code_that_is_too_long_refuses_all_and_is_not_told() -> None:
    coupon = CouponFactory.create()

    with pytest.raises(CodeTooLongError) as refusal:
        import_codes(coupon=coupon, codes=["A", "X" * 129])

    assert refusal.value.message == "1 codes have more than 128 characters."
    assert codes_of(coupon) == []


def test_each_request_takes_a_code_of_its_own_and_keeps_it() -> None:
    first, second = CouponCodeFactory.create_batch(2, coupon=CouponFactory.create())
    CouponCodeFactory.create()
    one, another = uuid4(), uuid4()

    with transaction.atomic():
        taken = LOCAL_POOL.take_codes(first.coupon, [one], at=AT)
        again = LOCAL_POOL.take_codes(first.coupon, [one, another], at=AT + DAY)

    assert taken == {one: first.pk}
    assert again == {one: first.pk, another: second.pk}
    assert dict(CouponCode.objects.values_list("source_request_uuid", "assigned_at")) == {
        one: AT,
        another: AT + DAY,
        None: None,
    }
    assert LOCAL_POOL.free_codes(first.coupon) == 0


def test_of_too_few_codes_the_first_requests_get_theirs() -> None:
    code = CouponCodeFactory.create()
    first, last = uuid4(), uuid4()

    with transaction.atomic():
        taken = LOCAL_POOL.take_codes(code.coupon, [first, last], at=AT)

    assert taken == {first: code.pk}


def test_a_hundred_codes_take_as_many_statements_as_one(statements: Statements) -> None:
    coupon = CouponFactory.create()
    CouponCodeFactory.create_batch(101, coupon=coupon)

    with transaction.atomic(), statements.counted() as for_one:
        LOCAL_POOL.take_codes(coupon, [uuid4()], at=AT)
    with transaction.atomic(), statements.counted() as for_hundred:
        LOCAL_POOL.take_codes(coupon, [uuid4() for _ in range(100)], at=AT)

    assert len(for_hundred) == len(for_one)


@pytest.mark.parametrize(
    "fields",
    [
        {"is_active": False},
        {"starts_at": AT + INSTANT},
        {"ends_at": AT},
    ],
)
def test_what_is_off_or_out_of_its_time_gives_nothing(fields: dict[str, object]) -> None:
    coupon = CouponFactory.create(**fields)

    with pytest.raises(CouponUnusableError):
        lock_usable_coupon(coupon_id=coupon.pk, customer_id=coupon.customer_id, at=AT)


def test_a_coupon_gives_from_its_start_until_its_end() -> None:
    coupon = CouponFactory.create(starts_at=AT, ends_at=AT + INSTANT)

    found = lock_usable_coupon(coupon_id=coupon.pk, customer_id=coupon.customer_id, at=AT)

    assert found == coupon


def test_another_customers_coupon_is_not_there() -> None:
    coupon = CouponFactory.create()

    with pytest.raises(CouponNotFoundError):
        lock_usable_coupon(coupon_id=coupon.pk, customer_id=CustomerFactory.create().pk, at=AT)


def test_a_code_is_not_written_where_people_look() -> None:
    code = CouponCodeFactory.create(code="SECRET")

    assert "SECRET" not in f"{code!r} {code}"
