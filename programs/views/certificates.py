"""Where the address of a certificate leads that the API tells, and the LMS shows its learner."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from programs.enums import CertificateStatus
from programs.selectors.certificates import (
    OF_PROGRAM,
    certificate_by_uuid,
    program_to_show,
)

MODELS = {True: "programcertificate", False: "coursecertificate"}


@login_required
@require_safe
@never_cache
def certificate(request: HttpRequest, certificate_hex: str) -> HttpResponse:
    """To the record in which the certificate stands; for staff, who see no records, to the admin.

    Whoever is not signed in comes to the page for that, whether there is a certificate or not.
    404 for everybody else, and for one that is revoked or not visible yet: what strangers are
    shown is a letter, or a link that the learner made.
    """
    found = certificate_by_uuid(UUID(certificate_hex), visible_at=timezone.now())
    if found is None or found.status != CertificateStatus.AWARDED:
        raise Http404
    user = request.user
    program_uuid = program_to_show(found) if user.pk == found.user_id else None
    if program_uuid:
        return redirect("program_record", program_uuid)
    model = MODELS[found.type == OF_PROGRAM]
    if user.is_staff and user.has_perm(f"programs.view_{model}"):
        return redirect(f"admin:programs_{model}_change", found.id)
    raise Http404
