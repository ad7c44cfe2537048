"""Requests in the admin: looked at and decided; what customers offer, and their coupons, edited."""

from subsidy_requests.admin import configurations, coupons, requests

__all__ = ["configurations", "coupons", "requests"]
