"""The sweep waits for whoever changes an entitlement, and then judges it again."""

from contextlib import closing
from threading import Thread

from django.db import connection

from credentials_portal.core.locks import direct_connection
from entitlements.services.expiring import ExpiryPage, expire_page
from tests.core.test_history import wait_for_a_waiting_session
from tests.entitlements.factories import DAY, INSTANT, SOLD, EntitlementFactory, by_at
from tests.entitlements.sessions import stored

LAPSED = SOLD + 730 * DAY + INSTANT


def test_what_is_extended_while_the_sweep_waits_stays(transactional_db: None) -> None:
    extended, other = EntitlementFactory.create_batch(2)
    pages: list[ExpiryPage] = []

    def sweep() -> None:
        with closing(connection):
            pages.append(expire_page((0, None), by=by_at(LAPSED)))

    sweeping = Thread(target=sweep)
    with closing(direct_connection()) as staff, staff.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "UPDATE entitlements_courseentitlement SET extended_until = %s WHERE id = %s",
            [LAPSED + 30 * DAY, extended.pk],
        )
        sweeping.start()
        wait_for_a_waiting_session()
        cursor.execute("COMMIT")
    sweeping.join(timeout=60)

    (page,) = pages
    assert [one.entitlement_id for one in page.ended] == [other.pk]
    assert page.waiting == 1
    assert stored(extended).expired_at is None
    assert stored(extended).extended_until == LAPSED + 30 * DAY
    assert stored(other).expired_reason == "period"
