from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from credentials_portal.api.throttling import limit_page
from letters import selectors
from letters.selectors import Verification


@require_safe
@never_cache
@limit_page(scope="verify_letter", rate="60/min")
def verify_letter(request: HttpRequest, letter_uuid: UUID) -> HttpResponse:
    """A stranger's check of a letter: a page, or JSON for `Accept: application/json`.

    A letter that never was and one that nobody released look alike: 404, "not found".
    """
    verification = selectors.verify_letter(letter_uuid)
    status = 200 if verification else 404
    response: HttpResponse
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        response = JsonResponse(_facts(verification), status=status)
    else:
        context = {"verification": verification, "letter_uuid": letter_uuid}
        response = render(request, "letters/verify.html", context, status=status)
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _facts(verification: Verification | None) -> dict[str, Any]:
    if verification is None:
        return {"status": "not_found"}
    facts = {
        "status": verification.status,
        "letter": str(verification.letter_uuid),
        "name": verification.name,
        "program": verification.program,
        "issued_at": verification.issued_at,
        "withdrawn_at": verification.withdrawn_at,
    }
    return {name: value for name, value in facts.items() if value}
