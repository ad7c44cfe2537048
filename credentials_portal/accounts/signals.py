from dataclasses import dataclass

from django.dispatch import Signal

user_retired = Signal()
"""A person left: everything personal about them is erased in this transaction.

Sent by `retire_user`, once per person, after the account itself was emptied. Every app that
holds personal columns joins. Items: `RetiredUser`.
"""


@dataclass(frozen=True)
class RetiredUser:
    user_id: int
    former_username: str
    former_email: str
    former_full_name: str
    former_lms_user_id: int | None = None
