"""The Celery application. Without a broker tasks run in the calling process (settings)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "credentials_portal.settings")

app = Celery("credentials_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
