"""Whether a customer's learners may ask, and for what."""

from typing import TYPE_CHECKING, TypedDict, Unpack

from django.db import IntegrityError, transaction

from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.retries import retry_conflicts
from subsidy_requests.enums import SubsidyType
from subsidy_requests.models import REQUESTS_OF, SubsidyRequestCustomerConfiguration
from subsidy_requests.services.declining import decline_all
from subsidy_requests.services.gate import RequestsNotConfiguredError

if TYPE_CHECKING:
    from licenses.models import Customer


class ConfigurationExistsError(ConflictError):
    """The customer has a configuration, which can be changed."""

    code = "configuration_exists"


class Settings(TypedDict, total=False):
    """What can be set; what is missing stays."""

    subsidy_requests_enabled: bool
    subsidy_type: SubsidyType | None
    shows_contacts: bool


@retry_conflicts
@transaction.atomic
def open_configuration(
    *, customer: "Customer", by: Attribution, **settings: Unpack[Settings]
) -> SubsidyRequestCustomerConfiguration:
    """Configure the requests of a customer for the first time. Raises `ConfigurationExistsError`."""
    configuration = SubsidyRequestCustomerConfiguration(
        customer=customer, changed_by=by.actor, created=by.at, modified=by.at, **settings
    )
    try:
        with transaction.atomic():
            save_with_history(configuration, by=by)
    except IntegrityError:
        if not SubsidyRequestCustomerConfiguration.objects.filter(customer=customer).exists():
            raise
        raise ConfigurationExistsError("This organization has set up requests already.") from None
    return configuration


@retry_conflicts
@transaction.atomic
def change_configuration(
    *, customer: "Customer", notify: bool = False, by: Attribution, **settings: Unpack[Settings]
) -> SubsidyRequestCustomerConfiguration:
    """Change what is given; nothing is written where it is as wanted.

    Another subsidy type, or none, declines the requests of the former type that nobody granted;
    their learners get a mail if `notify`. Disabled requests stay, and can be decided. Raises
    `RequestsNotConfiguredError`.
    """
    rows = SubsidyRequestCustomerConfiguration.objects.filter(customer=customer)
    configuration = rows.select_for_update(of=("self",), no_key=True).first()
    if configuration is None:
        raise RequestsNotConfiguredError("This organization has not set up requests.")
    former = configuration.subsidy_type
    changed = {name: new for name, new in settings.items() if getattr(configuration, name) != new}
    if not changed:
        return configuration
    for name, new in changed.items():
        setattr(configuration, name, new)
    configuration.changed_by = by.actor
    save_with_history(configuration, by=by)
    if former and "subsidy_type" in changed:
        decline_all(REQUESTS_OF[SubsidyType(former)], customer=customer, notify=notify, by=by)
    return configuration
