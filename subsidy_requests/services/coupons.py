"""The codes of coupons: filling a pool, and taking codes out of it for requests."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from django.db import transaction

from credentials_portal.core.errors import ConflictError, DomainError, NotFoundError
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.retries import retry_conflicts
from subsidy_requests.models import Coupon, CouponCode

if TYPE_CHECKING:
    from licenses.models import Customer

LONGEST_CODE = 128


class CouponNotFoundError(NotFoundError):
    """No coupon of this customer has this id."""

    code = "coupon_not_found"


class CouponUnusableError(ConflictError):
    """The coupon is switched off, has not begun, or has ended; nothing was taken from it."""

    code = "coupon_unusable"


class CouponExistsError(ConflictError):
    """The customer has a coupon of this title."""

    code = "coupon_exists"


class CodeTooLongError(DomainError):
    """Some codes to be imported are too long; none was imported."""

    code = "code_too_long"


class NotEnoughCodesError(ConflictError):
    """More codes were asked for than are free; none was given."""

    code = "not_enough_codes"

    def __init__(self, *, requested: int, available: int) -> None:
        super().__init__(f"{requested} codes are needed, and {available} are free.")
        self.requested = requested
        self.available = available

    @property
    def details(self) -> dict[str, Any]:
        return {"requested": self.requested, "available": self.available}


class CouponProvider(Protocol):
    """Who gives codes. Called inside the transaction that approves; the coupon is locked."""

    def free_codes(self, coupon: Coupon) -> int:
        """How many codes can still be taken."""

    def take_codes(
        self, coupon: Coupon, request_uuids: Sequence[UUID], *, at: datetime
    ) -> dict[UUID, int]:
        """Give each request a code of its own; returns the codes' primary keys by request.

        Where there are too few the first ones get them, and the others are missing. Who has one
        already keeps it.
        """


class LocalPool:
    """The codes that were imported into the portal."""

    def free_codes(self, coupon: Coupon) -> int:
        return CouponCode.objects.filter(coupon=coupon, source_request_uuid=None).count()

    def take_codes(
        self, coupon: Coupon, request_uuids: Sequence[UUID], *, at: datetime
    ) -> dict[UUID, int]:
        codes = CouponCode.objects.filter(coupon=coupon).order_by("pk")
        held = codes.filter(source_request_uuid__in=request_uuids)
        taken = {code.source_request_uuid: code.pk for code in held if code.source_request_uuid}
        waiting = [uuid for uuid in request_uuids if uuid not in taken]
        free = codes.filter(source_request_uuid=None).select_for_update(of=("self",), no_key=True)
        given = list(free[: len(waiting)]) if waiting else []
        # Where codes are fewer, the last requests get none.
        for code, uuid in zip(given, waiting, strict=False):
            code.source_request_uuid, code.assigned_at = uuid, at
            taken[uuid] = code.pk
        if given:
            CouponCode.objects.bulk_update(given, ["source_request_uuid", "assigned_at"])
        return taken


LOCAL_POOL = LocalPool()


def lock_usable_coupon(*, coupon_id: int, customer_id: int, at: datetime) -> Coupon:
    """The customer's coupon, from which codes can be taken now, locked until the transaction ends.

    Raises `CouponNotFoundError`, `CouponUnusableError`.
    """
    coupon = _lock(pk=coupon_id, customer_id=customer_id)
    has_begun = coupon.starts_at is None or coupon.starts_at <= at
    has_ended = coupon.ends_at is not None and coupon.ends_at <= at
    if not coupon.is_active or not has_begun or has_ended:
        raise CouponUnusableError("No codes can be taken from this coupon now.")
    return coupon


@retry_conflicts
@transaction.atomic
def open_coupon(
    *,
    customer: "Customer",
    title: str,
    by: Attribution,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> Coupon:
    """An empty pool of a customer. Raises `CouponExistsError` where it has one of this title."""
    if Coupon.objects.filter(customer=customer, title=title).exists():
        raise CouponExistsError("The customer has a coupon of this title.")
    coupon = Coupon(customer=customer, title=title, starts_at=starts_at, ends_at=ends_at)
    save_with_history(coupon, by=by)
    return coupon


@retry_conflicts
@transaction.atomic
def import_codes(*, coupon: Coupon, codes: Collection[str]) -> int:
    """Put codes into the pool; returns how many it did not have.

    Spaces around a code and empty lines do not count. Raises `CodeTooLongError`, which
    names no code, as each is worth money.
    """
    wanted = sorted({code.strip() for code in codes} - {""})
    too_long = sum(len(code) > LONGEST_CODE for code in wanted)
    if too_long:
        raise CodeTooLongError(f"{too_long} codes have more than {LONGEST_CODE} characters.")
    locked = _lock(pk=coupon.pk)
    before = locked.codes.count()
    CouponCode.objects.bulk_create(
        (CouponCode(coupon=locked, code=code) for code in wanted),
        ignore_conflicts=True,
        batch_size=5_000,
    )
    return locked.codes.count() - before


def _lock(**named: Any) -> Coupon:
    rows = Coupon.objects.select_for_update(of=("self",), no_key=True)
    try:
        return rows.get(**named)
    except Coupon.DoesNotExist:
        raise CouponNotFoundError("There is no such coupon.") from None
