"""Reads of `licenses`."""

from licenses.selectors.plans import (
    auto_applicable_plan,
    renewals_to_process,
    revocation_allowance,
    stuck_renewals,
)
from licenses.selectors.seats import UseOfSeats, activation_link, seats_in_use, use_of_seats

__all__ = [
    "UseOfSeats",
    "activation_link",
    "auto_applicable_plan",
    "renewals_to_process",
    "revocation_allowance",
    "seats_in_use",
    "stuck_renewals",
    "use_of_seats",
]
