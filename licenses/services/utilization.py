"""Telling a customer's administrators, once each, that a plan's seats run out."""

from datetime import datetime

from django.db import connection

from licenses.enums import NotificationType
from licenses.models import SubscriptionPlan
from licenses.selectors.seats import use_of_seats
from licenses.services.notices import queue_use_mails


def tell_admins_of_use(plan: SubscriptionPlan, *, at: datetime) -> None:
    """Queue a mail to each administrator when three quarters of the seats, or all, are held.

    Each is told once for a plan, however often the use goes up and down. The caller holds the
    plan.
    """
    reached = use_of_seats(plan.pk).notification
    if reached and _is_first(plan, reached, at=at):
        queue_use_mails(plan, reached, at=at)


def _is_first(plan: SubscriptionPlan, reached: NotificationType, *, at: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO licenses_notification (
                customer_id, subscription_plan_id, notification_type, last_sent)
            VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            [plan.customer_agreement.customer_id, plan.pk, reached, at],
        )
        return bool(cursor.rowcount)
