"""Customers, plans and licenses of the old license-manager, with their uuids and dates."""

from collections.abc import Sequence

from django.db import transaction

from credentials_portal.core.history import Attribution
from licenses.services.importing.licenses import Licenses
from licenses.services.importing.rows import (
    AGREEMENT,
    LICENSE,
    LINK,
    MESSAGING,
    ORDER,
    PLAN,
    PLAN_TYPE,
    PRODUCT,
    RENEWAL,
    Outcome,
    Result,
    Row,
)
from licenses.services.importing.tables import SmallTables

__all__ = ["LICENSE", "LINK", "ORDER", "LicenseManagerImport", "Outcome", "Result", "Row"]


class LicenseManagerImport:
    """One import: rows are brought table by table, in the order of `ORDER`.

    What is here already, by its uuid, stays as it is. Nothing is announced, and nobody gets mail.
    A dry run tells the same and writes nothing in the database, so it notes what it would have.
    """

    def __init__(self, *, by: Attribution, dry_run: bool = False) -> None:
        self._tables = SmallTables(by, dry_run)
        self._licenses = Licenses(self._tables)

    def bring(self, model: str, rows: Sequence[Row]) -> list[Result]:
        """Import these rows of one table, all in one transaction; bad ones are told and left."""
        bringers = {
            PLAN_TYPE: self._tables.bring_plan_types,
            PRODUCT: self._tables.bring_products,
            MESSAGING: self._tables.bring_messaging,
            AGREEMENT: self._tables.bring_agreements,
            PLAN: self._tables.bring_plans,
            LICENSE: self._licenses.bring_licenses,
            RENEWAL: self._tables.bring_renewals,
            LINK: self._licenses.bring_links,
        }
        with transaction.atomic():
            return bringers[model](rows)

    def close(self) -> None:
        self._licenses.unwritten.close()
