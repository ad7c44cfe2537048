"""What the old service says in words; its clients show them. Never translated."""

from typing import Any

NO_CONFIGURATION = "Customer configuration for enterprise: {} does not exist."
DISABLED = "Subsidy requests for enterprise: {} are disabled."
NO_TYPE = "Subsidy request type for enterprise: {} has not been set up."
WRONG_TYPE = "Subsidy request type must be {}"
OUTSTANDING_LICENSE_REQUEST = (
    "User already has an outstanding license request for enterprise: {customer}."
)
OUTSTANDING_CODE_REQUEST = (
    "User already has an outstanding coupon code request for course: {course}"
    " under enterprise: {customer}."
)
NO_REQUESTS = "You must provide subsidy request UUID(s) to be approved."
TOO_MANY_REQUESTS = "You can provide {} subsidy request UUID(s) at most."
REQUEST_NOT_UUID = "Subsidy Request UUID provided ({}) is not a valid UUID"
NO_PLAN = (
    "You must provide a License Subscription UUID so subsidy requests can be completed "
    "(so a License can be assigned to the user)."
)
PLAN_NOT_UUID = "Subscription Plan UUID provided ({}) is not a valid UUID"
NOT_ENOUGH_LICENSES = (
    "Not enough licenses available for subscription {pool} to approve the requests"
)
NOT_ENOUGH_CODES = "Not enough codes available for coupon {pool} to approve the requests"
WRONG_STATE = (
    "{kind} Request(s) with UUID(s) {uuids} are already {states}. Requests could not be {decided}."
)
TYPE_CHANGED = "Declined because subsidy type on SubsidyRequestCustomerConfiguration has changed."
NO_CUSTOMER_IN_QUERY = "enterprise_customer_uuid query param is required"
NOT_UUID = "{} is not a valid uuid."
MISSING_ROLE = "Missing: {}"
CONFIGURATION_EXISTS = (
    "subsidy request customer configuration with this enterprise customer uuid already exists."
)
NO_CUSTOMER = "There is no such customer."
LONG_IDEMPOTENCY_KEY = "An Idempotency-Key has {} characters at most."
UNREADABLE_IDEMPOTENCY_KEY = "An Idempotency-Key has no null characters."


def readable(written: Any) -> str:
    """What somebody sent, so that it can be told again: JSON can hold halves of characters."""
    return str(written).encode(errors="replace").decode()
