"""Composition root of the portal: settings, URLs, Celery and the parts that every app shares."""

from credentials_portal.celery import app as celery_app

__all__ = ["celery_app"]
