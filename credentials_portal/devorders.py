"""A stand-in for the order service, for tests: a real HTTP server that pays everything back once.

with StandInLms() as lms, StandInOrders(lms=lms) as orders:
    orders.fail(0, path="refunds", after_work=True, times=1)
    ... settings.ORDERS_BASE_URL = orders.url ...
    assert orders.refunds == {("EDX-1", str(entitlement_uuid)): 1001}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from credentials_portal.devlms import StandInLms
from credentials_portal.devremote import Reply, StandIn

FIRST_REFUND = 1001
FIELDS = ("order_number", "username", "entitlement_uuid")


@dataclass
class StandInOrders(StandIn):
    """It takes the tokens of `lms`. `refunds` are the refunds' ids by order and entitlement.

    Every order is known, and every line of it can be refunded, unless it was told otherwise.
    """

    lms: StandInLms = field(kw_only=True)
    refunds: dict[tuple[str, str], int] = field(default_factory=dict)
    unknown_orders: set[str] = field(default_factory=set)
    unknown_learners: set[str] = field(default_factory=set)
    # Orders that nobody paid for.
    free_orders: set[str] = field(default_factory=set)

    def is_authorized(self, token: str) -> bool:
        return token in self.lms.tokens

    def refund(self, _path: str, form: Mapping[str, str]) -> Reply:
        """Open a refund; a line that has one is not found any more."""
        missing = [name for name in FIELDS if not form.get(name)]
        if missing:
            return 400, {"detail": f"No {missing[0]} specified."}
        if form["username"] in self.unknown_learners:
            return 400, {"detail": f'User "{form["username"]}" does not exist.'}
        order, line = form["order_number"], (form["order_number"], form["entitlement_uuid"])
        if order in self.unknown_orders or line in self.refunds:
            return 400, {"detail": f"Order {order} does not exist."}
        if order in self.free_orders:
            return 200, []
        self.refunds[line] = FIRST_REFUND + len(self.refunds)
        return 201, [self.refunds[line]]

    routes = {("POST", "/refunds/"): refund}
