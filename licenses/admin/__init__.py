"""Licenses in the admin: terms are edited, seats and links change by decisions that call services."""

from licenses.admin import customers, licenses, plans, renewals, work

__all__ = ["customers", "licenses", "plans", "renewals", "work"]
