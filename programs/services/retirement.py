from collections.abc import Sequence

from django.db import transaction

from credentials_portal.core.personal import ERASED, erase_names
from programs.models import ProgramCertificate, ProgramRequirementsVersion


@transaction.atomic
def forget_learner(*, user_id: int, names: Sequence[str]) -> None:
    """Erase what staff wrote about a person who left, in live rows and history alike.

    Grades, certificates and enrollments stay, as those of an account that names nobody.
    """
    for rows in (ProgramCertificate.objects.all(), ProgramCertificate.history.all()):
        about_them = rows.filter(user_id=user_id).exclude(revocation_reason="")
        about_them.update(revocation_reason=ERASED)
        erase_names(rows, ["revocation_reason"], *names)
    erase_names(ProgramRequirementsVersion.objects.all(), ["note"], *names)
