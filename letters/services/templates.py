"""Drafts of what a program's letters say: written, edited, copied."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from credentials_portal.core.errors import ConflictError, DomainError, NotFoundError
from credentials_portal.core.history import Attribution, save_with_history
from letters.documents.markdown import is_blank, problems
from letters.documents.pictures import read_picture
from letters.enums import TemplateStatus
from letters.models import LetterPicture, LetterSignatory, ProgramLetterTemplate
from letters.services.breaker import lock_configuration


class TemplateIncompleteError(DomainError):
    """A template that nobody could read as a letter; `problems` says what is missing."""

    code = "template_incomplete"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("The template cannot be published: " + " ".join(problems))
        self.problems = list(problems)


class TemplateFrozenError(ConflictError):
    """What was published does not change any more."""

    code = "template_frozen"


class TemplateChangedError(ConflictError):
    """The draft is not any more the one about which a person decided."""

    code = "template_changed"


@transaction.atomic
def add_draft(template: ProgramLetterTemplate, *, by: Attribution) -> None:
    """Save a new draft as the next revision of its program's template."""
    lock_configuration(template.program_id, by=by)
    revisions = ProgramLetterTemplate.objects.filter(program_id=template.program_id)
    template.revision = 1 + (revisions.aggregate(last=Max("revision"))["last"] or 0)
    save_with_history(template, by=by)


@transaction.atomic
def copy_template(*, template_id: int, by: Attribution) -> ProgramLetterTemplate:
    """A new draft that says what this revision says, signatories included.

    Raises `NotFoundError`.
    """
    source = find_template(template_id)
    draft = ProgramLetterTemplate(
        program_id=source.program_id,
        header=source.header,
        text=source.text,
        footer=source.footer,
        logo_id=source.logo_id,
    )
    add_draft(draft, by=by)
    LetterSignatory.objects.bulk_create(
        LetterSignatory(
            template=draft,
            position=each.position,
            name=each.name,
            title_line_1=each.title_line_1,
            title_line_2=each.title_line_2,
            signature_id=each.signature_id,
        )
        for each in source.signatories.order_by("position", "pk")
    )
    return draft


def lock_draft(*, template_id: int) -> ProgramLetterTemplate:
    """Lock a draft for an edit, so that nobody publishes or edits it meanwhile.

    Raises `NotFoundError`, and `TemplateFrozenError` for what was published. Needs an open
    transaction.
    """
    template = lock_template(template_id)
    if template.status != TemplateStatus.DRAFT:
        raise TemplateFrozenError(
            _("Only a draft can be edited or published; this revision is %s.")
            % template.get_status_display()
        )
    return template


def require_unchanged(template: ProgramLetterTemplate, *, seen: datetime | None) -> None:
    """Raise `TemplateChangedError` when the draft was saved since a person saw it."""
    if template.modified != seen:
        raise TemplateChangedError(
            _("The draft was changed while you were looking at it. Nothing was done.")
        )


def save_picture(upload: bytes) -> LetterPicture:
    """Keep a logo or a signature; the same picture twice is one row.

    Raises `BadPictureError` for what is no picture, or too large a one.
    """
    picture = read_picture(upload)
    row, _is_new = LetterPicture.objects.get_or_create(
        sha256=picture.sha256,
        defaults={
            "width": picture.width,
            "height": picture.height,
            "content": picture.content,
        },
    )
    return row


def template_problems(template: ProgramLetterTemplate) -> list[str]:
    """Why a draft cannot be published, in words; empty: it can."""
    parts = {"header": _("Header"), "text": _("Text"), "footer": _("Footer")}
    found = [
        f"{words}: {problem}"
        for name, words in parts.items()
        for problem in problems(getattr(template, name))
    ]
    if is_blank(template.text):
        found.append(_("It says nothing: the text is empty."))
    return found


def find_template(template_id: int) -> ProgramLetterTemplate:
    template = ProgramLetterTemplate.objects.filter(pk=template_id).first()
    if template is None:
        raise NotFoundError(_("There is no letter template %s.") % template_id)
    return template


def lock_template(template_id: int) -> ProgramLetterTemplate:
    """Lock a revision. Whoever also locks what its program sets does that first."""
    templates = ProgramLetterTemplate.objects.filter(pk=template_id)
    template = templates.select_for_update(of=("self",), no_key=True).first()
    if template is None:
        raise NotFoundError(_("There is no letter template %s.") % template_id)
    return template
