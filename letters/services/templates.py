"""Revisions of what a program's letters say."""

from django.db import transaction
from django.db.models import Max

from credentials_portal.core.history import Attribution
from letters.models import ProgramLetterTemplate
from letters.services.breaker import lock_configuration


@transaction.atomic
def add_draft(template: ProgramLetterTemplate, *, by: Attribution) -> None:
    """Save a new draft as the next revision of its program's template."""
    lock_configuration(template.program_id, by=by)
    revisions = ProgramLetterTemplate.objects.filter(program_id=template.program_id)
    template.revision = 1 + (revisions.aggregate(last=Max("revision"))["last"] or 0)
    template.save()
