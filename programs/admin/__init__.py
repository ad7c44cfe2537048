"""The programs in the admin: the catalog is edited, what learners earned changes by services."""

from programs.admin import (
    catalog,
    certificates,
    credit_requests,
    grades,
    pathways,
    programs,
    shared_records,
)

__all__ = [
    "catalog",
    "certificates",
    "credit_requests",
    "grades",
    "pathways",
    "programs",
    "shared_records",
]
