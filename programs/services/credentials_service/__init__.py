"""What the old credentials service knew: its catalog, learners, grades, certificates, requests."""

from collections.abc import Callable, Mapping, Sequence

from django.db import transaction

from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from programs.services.copying import COURSES, ORGANIZATIONS, PATHWAYS, PROGRAMS, RUNS
from programs.services.credentials_service.catalog import OldCatalog
from programs.services.credentials_service.cells import Outcome, Result, Row, Work
from programs.services.credentials_service.certificates import (
    ATTRIBUTES,
    DATE_OVERRIDES,
    USER_CREDENTIALS,
    Certificates,
)
from programs.services.credentials_service.configurations import (
    COURSE_CERTIFICATES,
    PROGRAM_CERTIFICATES,
    Configurations,
)
from programs.services.credentials_service.grades import GRADES, Grades
from programs.services.credentials_service.people import USERS, People
from programs.services.credentials_service.requests import (
    PROGRAM_CERT_RECORDS,
    USER_CREDIT_PATHWAYS,
    Requests,
)

__all__ = ["COLUMNS", "CredentialsServiceImport", "Outcome", "Result", "Row"]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    ORGANIZATIONS: ("uuid", "key"),
    COURSES: ("uuid", "key"),
    RUNS: ("uuid", "course", "key"),
    PROGRAMS: ("uuid", "title", "course_runs"),
    PATHWAYS: ("uuid", "name"),
    USERS: ("username",),
    COURSE_CERTIFICATES: ("course_run",),
    PROGRAM_CERTIFICATES: ("program",),
    GRADES: ("username", "course_run", "created"),
    USER_CREDENTIALS: ("uuid", "username", "status", "created"),
    DATE_OVERRIDES: ("user_credential", "date"),
    ATTRIBUTES: ("user_credential", "name"),
    PROGRAM_CERT_RECORDS: ("uuid", "username", "program", "created"),
    USER_CREDIT_PATHWAYS: ("username", "pathway", "status", "created"),
}
"""The tables, in the order in which they are brought, and the columns that they cannot lack."""


class CredentialsServiceImport:
    """One import, which is brought table by table, in the order of `COLUMNS`, page by page.

    What is here already stays as it is: a second import changes nothing. Learners who have no
    account get one without a password. Nobody gets mail. A dry run tells the same and writes
    nothing in the database, so it notes what it would have.
    """

    def __init__(self, *, by: Attribution, dry_run: bool = False) -> None:
        self._work = Work(by, dry_run)
        people = People(self._work)
        configurations = Configurations(self._work)
        certificates = Certificates(self._work, people)
        requests = Requests(self._work, people)
        self._catalog = OldCatalog(self._work)
        self._bringers: dict[str, Callable[[Sequence[Row]], list[Result]]] = {
            USERS: people.bring,
            COURSE_CERTIFICATES: configurations.bring_of_runs,
            PROGRAM_CERTIFICATES: configurations.bring_of_programs,
            GRADES: Grades(self._work, people).bring,
            USER_CREDENTIALS: certificates.bring,
            DATE_OVERRIDES: certificates.bring_dates,
            ATTRIBUTES: certificates.bring_attributes,
            PROGRAM_CERT_RECORDS: requests.bring_links,
            USER_CREDIT_PATHWAYS: requests.bring_requests,
        }

    def bring(self, table: str, rows: Sequence[Row]) -> list[Result]:
        """Import these rows of one table; bad ones are told and left."""
        if table in self._bringers:
            return self._bring(table, rows)
        return self._catalog.bring(table, rows)

    @retry_conflicts
    @transaction.atomic
    def _bring(self, table: str, rows: Sequence[Row]) -> list[Result]:
        return self._bringers[table](rows)

    def close(self) -> None:
        self._work.unwritten.close()
