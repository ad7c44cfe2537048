"""Which certificates may be awarded, and from when learners see them."""

from datetime import datetime
from typing import TypedDict

from django.db import transaction

from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.retries import retry_conflicts
from programs.models import CourseCertificateConfiguration, CourseRun, Program
from programs.models import ProgramCertificateConfiguration as ProgramConfiguration

USUAL_MODE = "verified"


class NotConfiguredError(ConflictError):
    """The institution awards no certificate of this: none is configured, or it is not active."""

    code = "not_configured"

    def __init__(self) -> None:
        super().__init__("No active certificate is configured for this.")


class ConfigurationTakenError(ConflictError):
    """The run has a certificate of that type already."""

    code = "configuration_taken"

    def __init__(self, certificate_type: str) -> None:
        super().__init__(f"The run has another certificate of the type {certificate_type}.")


class ConfigurationDetails(TypedDict, total=False):
    """What somebody says of a configuration; what is left out stays."""

    certificate_type: str
    certificate_available_date: datetime | None
    is_active: bool


def require_active(program: Program | None) -> Program:
    """The program, if it awards certificates. Raises `NotConfiguredError`."""
    active = ProgramConfiguration.objects.filter(program=program, is_active=True)
    if program is None or not active.exists():
        raise NotConfiguredError
    return program


@transaction.atomic
def configuration_for(
    run: CourseRun, *, mode: str, by: Attribution
) -> CourseCertificateConfiguration:
    """The configuration by which a certificate of this mode is awarded; "": of the run's own mode.

    A run that has none gets an active one, and a mode that has none gets one like the run's own,
    so that its certificates are not seen before the others. Raises `NotConfiguredError`.
    """
    known = _matching(run, mode)
    if not known:
        _lock(run)
        known = _matching(run, mode)
    if known:
        return _required(known[0])
    others = configurations_of(run)
    return _save(
        CourseCertificateConfiguration(
            course_run=run,
            certificate_type=mode or USUAL_MODE,
            is_active=True,
            certificate_available_date=(
                _required(others[0]).certificate_available_date if others else None
            ),
        ),
        by,
    )


@retry_conflicts
@transaction.atomic
def configure_course_certificate(
    *, run: CourseRun, certificate_type: str, details: ConfigurationDetails, by: Attribution
) -> CourseCertificateConfiguration:
    """Create or change the run's configuration of this type."""
    _lock(run)
    stored = run.certificate_configurations.filter(certificate_type=certificate_type).first()
    configuration = stored or CourseCertificateConfiguration(
        course_run=run, certificate_type=certificate_type
    )
    return _changed(configuration, details, by)


@retry_conflicts
@transaction.atomic
def change_course_certificate(
    *, configuration: CourseCertificateConfiguration, details: ConfigurationDetails, by: Attribution
) -> CourseCertificateConfiguration:
    """Change a configuration, its type too. Raises `ConfigurationTakenError`."""
    _lock(configuration.course_run)
    configuration = configuration.course_run.certificate_configurations.get(pk=configuration.pk)
    wanted = details.get("certificate_type", configuration.certificate_type)
    others = configuration.course_run.certificate_configurations.exclude(pk=configuration.pk)
    if others.filter(certificate_type=wanted).exists():
        raise ConfigurationTakenError(wanted)
    return _changed(configuration, details, by)


def configurations_of(run: CourseRun) -> list[CourseCertificateConfiguration]:
    """The run's configurations, the active ones first; usually there is one."""
    return list(run.certificate_configurations.order_by("-is_active", "pk"))


def _matching(run: CourseRun, mode: str) -> list[CourseCertificateConfiguration]:
    return [one for one in configurations_of(run) if mode in ("", one.certificate_type)]


def _required(configuration: CourseCertificateConfiguration) -> CourseCertificateConfiguration:
    if not configuration.is_active:
        raise NotConfiguredError
    return configuration


def _lock(run: CourseRun) -> None:
    CourseRun.objects.select_for_update(no_key=True).get(pk=run.pk)


def _changed(
    configuration: CourseCertificateConfiguration, details: ConfigurationDetails, by: Attribution
) -> CourseCertificateConfiguration:
    before = {name: getattr(configuration, name) for name in details}
    if configuration.pk and before == dict(details):
        return configuration
    for name, value in details.items():
        setattr(configuration, name, value)
    return _save(configuration, by)


def _save(
    configuration: CourseCertificateConfiguration, by: Attribution
) -> CourseCertificateConfiguration:
    save_with_history(configuration, by=by)
    return configuration
