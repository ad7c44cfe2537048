"""The programs in the admin: the catalog is edited, what learners earned changes by services."""

from programs.admin import catalog, certificates, grades, programs

__all__ = ["catalog", "certificates", "grades", "programs"]
