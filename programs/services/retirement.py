from collections.abc import Sequence

from django.db import transaction

from credentials_portal.core.history import Attribution, update_with_history
from credentials_portal.core.personal import ERASED, erase_names
from programs.enums import CreditRequestStatus, ShareEnd
from programs.models import (
    CourseCertificate,
    ProgramCertificate,
    ProgramRequirementsVersion,
    SharedProgramRecord,
    UserCreditPathway,
)

WRITTEN = ("on_behalf_reason", "answer_note")
"""What a request holds in somebody's words."""


@transaction.atomic
def forget_learner(*, user_id: int, names: Sequence[str], by: Attribution) -> None:
    """Erase what was written about a person who left, in live rows and history alike.

    Their links are dead, and what they asked of institutions and has not left does not leave.
    Grades, certificates, enrollments and requests stay, as those of an account that names nobody.
    The account is locked.
    """
    _end_requests(user_id, by=by)
    for rows in (ProgramCertificate.objects.all(), ProgramCertificate.history.all()):
        about_them = rows.filter(user_id=user_id).exclude(revocation_reason="")
        about_them.update(revocation_reason=ERASED)
        erase_names(rows, ["revocation_reason"], *names)
    for model in (CourseCertificate, ProgramCertificate):
        for told in (model.objects.all(), model.history.all()):
            told.filter(user_id=user_id).exclude(attributes=[]).update(attributes=[])
    for requests in (UserCreditPathway.objects.all(), UserCreditPathway.history.all()):
        for words in WRITTEN:
            written = requests.filter(user_id=user_id).exclude(**{words: ""})
            written.update(**{words: ERASED})
        erase_names(requests, WRITTEN, *names)
    erase_names(ProgramRequirementsVersion.objects.all(), ["note"], *names)


def _end_requests(user_id: int, *, by: Attribution) -> None:
    queued = UserCreditPathway.objects.filter(user_id=user_id, status=CreditRequestStatus.QUEUED)
    update_with_history(
        queued, {"status": CreditRequestStatus.WITHDRAWN, "withdrawn_at": by.at}, by=by
    )
    links = SharedProgramRecord.objects.filter(user_id=user_id, revoked_at=None)
    update_with_history(links, {"revoked_at": by.at, "end": ShareEnd.RETIRED}, by=by)
