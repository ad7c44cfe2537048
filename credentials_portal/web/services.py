from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox

PASSWORD_RESET = "web.password_reset"  # noqa: S105 - the name of a kind of message
ONE_MAIL_EACH = timedelta(minutes=5)


@transaction.atomic
def send_password_links(*, users: Iterable[User], at: datetime) -> list[int]:
    """Queue a link to choose a new password for each; who asks again soon gets no second mail.

    Returns the new messages' keys.
    """
    period = int(at.timestamp() // ONE_MAIL_EACH.total_seconds())
    items = [outbox.Item(cause=f"{user.pk}.{period}", payload={"user": user.pk}) for user in users]
    return outbox.enqueue(PASSWORD_RESET, items, at=at)
