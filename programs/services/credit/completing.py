"""Learners who asked for credit before they had completed the program hear that they have.

The institution does not: nothing is sent to it again unless the learner asks again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef

from credentials_portal.core.outbox import Delivery
from programs.enums import CertificateSource
from programs.models import ProgramCertificate, UserCreditPathway
from programs.selectors.credit import REACHED
from programs.services.credit.notices import queue_completions, queue_later_completion
from programs.signals import ProgramFact

NOT_SHOWN_YET = "not_shown_yet"


def queue_completion_mails(facts: Collection[ProgramFact], *, at: datetime) -> None:
    """One mail for each learner and program, about the newest of their requests before.

    Two statements, however many there are. Who was told of a request is not told of it again, and
    nobody hears of a certificate that was imported: it is no news.
    """
    imported = ProgramCertificate.objects.filter(
        user=OuterRef("user"), program=OuterRef("program"), source=CertificateSource.IMPORT
    )
    asked = UserCreditPathway.objects.filter(
        user_id__in={fact.user_id for fact in facts},
        program_id__in={fact.program_id for fact in facts},
        status__in=REACHED,
        was_completed=False,
    ).exclude(Exists(imported))
    newest = asked.order_by("user_id", "program_id", "-requested_at", "-pk").distinct(
        "user_id", "program_id"
    )
    pairs = {(fact.user_id, fact.program_id) for fact in facts}
    found = newest.values_list("pk", "user_id", "program_id")
    queue_completions((pk for pk, *pair in found if tuple(pair) in pairs), at=at)


def record_mails(deliveries: Sequence[Delivery], at: datetime) -> None:
    """Queue for later what was not to be told yet: the certificate is not shown before a date."""
    for message, outcome in deliveries:
        if outcome.reason == NOT_SHOWN_YET:
            queue_later_completion(message.payload["request"], at=at, due_at=outcome.detail)
