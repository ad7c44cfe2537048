"""Entitlements in the admin: nothing is edited; staff act, say why, and see first what follows."""

from entitlements.admin import entitlements, policies, refunds, work

__all__ = ["entitlements", "policies", "refunds", "work"]
