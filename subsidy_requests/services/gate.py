"""What a customer's configuration lets its learners ask for, and its administrators grant."""

from typing import TYPE_CHECKING

from credentials_portal.core.errors import ConflictError
from subsidy_requests.enums import SubsidyType
from subsidy_requests.models import SubsidyRequestCustomerConfiguration

if TYPE_CHECKING:
    from licenses.models import Customer


class RequestsNotConfiguredError(ConflictError):
    """The customer has no configuration of requests."""

    code = "requests_not_configured"


class RequestsDisabledError(ConflictError):
    """The customer's learners cannot ask now; what they asked before can be decided."""

    code = "requests_disabled"


class NoSubsidyTypeError(ConflictError):
    """The customer has not said what its learners can ask for."""

    code = "no_subsidy_type"


class WrongSubsidyTypeError(ConflictError):
    """The customer offers something else: `offered`."""

    code = "wrong_subsidy_type"

    def __init__(self, offered: SubsidyType) -> None:
        super().__init__(f"This organization offers {offered.label} only.")
        self.offered = offered


def require_asking(customer: "Customer", subsidy_type: SubsidyType) -> None:
    """Raise where learners cannot ask for this; else that stays so until the transaction ends.

    Raises, in this order, `RequestsNotConfiguredError`, `RequestsDisabledError`,
    `NoSubsidyTypeError`, `WrongSubsidyTypeError`.
    """
    configuration = _share_configuration(customer)
    if not configuration.subsidy_requests_enabled:
        raise RequestsDisabledError("This organization takes no requests now.")
    _require_type(configuration, subsidy_type)


def require_granting(customer: "Customer", subsidy_type: SubsidyType) -> None:
    """Raise where the customer does not grant this; else that stays so until the transaction ends.

    Raises `RequestsNotConfiguredError`, `NoSubsidyTypeError`, `WrongSubsidyTypeError`.
    """
    _require_type(_share_configuration(customer), subsidy_type)


def _share_configuration(customer: "Customer") -> SubsidyRequestCustomerConfiguration:
    """The configuration, which nobody changes before the transaction ends."""
    table = SubsidyRequestCustomerConfiguration._meta.db_table
    # Many ask at once, so that one must not wait for the other: the ORM cannot say this.
    rows = SubsidyRequestCustomerConfiguration.objects.raw(
        f'SELECT * FROM "{table}" WHERE customer_id = %s FOR SHARE',  # noqa: S608 - our own name
        [customer.pk],
    )
    for configuration in rows:
        return configuration
    raise RequestsNotConfiguredError("This organization has not set up requests.")


def _require_type(configuration: SubsidyRequestCustomerConfiguration, wanted: SubsidyType) -> None:
    if configuration.subsidy_type is None:
        raise NoSubsidyTypeError("This organization has not said what can be asked for.")
    if configuration.subsidy_type != wanted:
        raise WrongSubsidyTypeError(SubsidyType(configuration.subsidy_type))
