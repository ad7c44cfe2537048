"""Publishing and withdrawing what a program's letters say."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution, save_with_history, update_with_history
from credentials_portal.core.retries import retry_conflicts
from credentials_portal.core.sql import Fragment
from letters import selectors
from letters.enums import LetterAction, Notice, TemplateStatus
from letters.models import ProgramLetterTemplate
from letters.selectors import Publication
from letters.services.breaker import lock_configuration
from letters.services.decisions import require_reason
from letters.services.notices import QueuedNotice, queue_notices
from letters.services.templates import (
    TemplateIncompleteError,
    find_template,
    lock_draft,
    lock_template,
    require_unchanged,
    template_problems,
)


class FailingLettersError(ConflictError):
    """Publication would show letters that fail validation; `publication` has the counts."""

    code = "failing_letters"

    def __init__(self, publication: Publication) -> None:
        super().__init__(
            f"Publishing would make {publication.appearing} letters visible, and"
            f" {publication.failing} of them fail validation."
        )
        self.publication = publication


@dataclass(frozen=True)
class SeenPublication:
    """What a person had before them who decided to publish.

    `modified` is the draft's, `failing` how many of the letters that appear were known to fail.
    """

    modified: datetime | None
    failing: int


@retry_conflicts
@transaction.atomic
def publish_template(
    *,
    template_id: int,
    by: Attribution,
    despite_failures: bool = False,
    notify: bool = False,
    seen: SeenPublication | None = None,
) -> Publication:
    """Publish a draft: letters that have no text to be shown with get this one, and are visible.

    Letters with another published text keep it. Refuses to show letters that fail validation,
    unless `despite_failures`, which needs `by.reason`. With `notify` the holders of the letters
    that become visible for the first time are told by mail. With `seen` the draft must be the one
    that was seen, and no more letters may fail than then. Raises `NotFoundError`,
    `TemplateFrozenError` for what is no draft, `TemplateChangedError`, `TemplateIncompleteError`,
    `FailingLettersError` and `ReasonMissingError`.
    """
    lock_configuration(find_template(template_id).program_id, by=by)
    template = lock_draft(template_id=template_id)
    if seen:
        require_unchanged(template, seen=seen.modified)
    if found := template_problems(template):
        raise TemplateIncompleteError(found)
    _lock_letters(template.program_id)
    publication = selectors.publication(template.program_id, at=by.at)
    if publication.failing:
        if not despite_failures or (seen and publication.failing > seen.failing):
            raise FailingLettersError(publication)
        require_reason(by)
    template.status = TemplateStatus.PUBLISHED
    template.published_at, template.published_by = by.at, by.actor
    save_with_history(template, by=by)
    _pin(template, by=by, notify=notify)
    return publication


@retry_conflicts
@transaction.atomic
def withdraw_template(*, template_id: int, by: Attribution, every_revision: bool = False) -> int:
    """Take a published revision back, or all of its program: their letters are hidden at once.

    What the letters are worth does not change, and nobody is mailed; the next publication shows
    them again. Returns how many were hidden. Raises `NotFoundError`, `ReasonMissingError` and
    `ConflictError` for a revision that is not published.
    """
    require_reason(by)
    lock_configuration(find_template(template_id).program_id, by=by)
    template = lock_template(template_id)
    if template.status != TemplateStatus.PUBLISHED:
        raise ConflictError(f"Only a published revision is withdrawn; this is {template.status}.")
    hidden = selectors.withdrawal(template)
    revisions = ProgramLetterTemplate.objects.filter(
        program_id=template.program_id, status=TemplateStatus.PUBLISHED
    )
    update_with_history(
        revisions if every_revision else revisions.filter(pk=template_id),
        {
            "status": TemplateStatus.WITHDRAWN,
            "withdrawn_at": by.at,
            "withdrawn_by": by.actor,
        },
        by=by,
    )
    return hidden.of_program if every_revision else hidden.of_revision


def _lock_letters(program_id: int) -> None:
    """Wait for whoever changes a letter of the program, and let nobody change one meanwhile.

    Without it a letter that is reinstated or lifted at this moment would look for a text before
    there is one, and be looked at for one before it is active: it would stay hidden.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM letters_programletter WHERE program_id = %s"
            " ORDER BY id FOR NO KEY UPDATE) AS locked",
            [program_id],
        )


def _pin(template: ProgramLetterTemplate, *, by: Attribution, notify: bool) -> None:
    """Show the letters that have no text with this one, each change with its event, in one
    statement. Whose letter was never seen before is told, if wanted.
    """
    due = Fragment.of(
        selectors.letters_without_text(template.program_id)
        .order_by("pk")
        .values_list("pk", "content_revision_id", "first_visible_at")
    ).renamed("id", "content_revision_id", "first_visible_at")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH due AS MATERIALIZED ({due.sql}),
            letter AS (
                UPDATE letters_programletter AS letter
                SET content_revision_id = %s, version = letter.version + 1, modified = %s,
                    first_visible_at = COALESCE(letter.first_visible_at, %s)
                FROM due WHERE due.id = letter.id
                RETURNING letter.id, letter.version, letter.state
            ),
            event AS (
                INSERT INTO letters_letterevent (
                    letter_id, letter_version, action, from_state, to_state, reason, note,
                    failed_checks, before, automatic, actor_id, cause, at)
                SELECT letter.id, letter.version, %s, letter.state, letter.state, '', '', '[]',
                       jsonb_build_object('content_revision_id', due.content_revision_id), FALSE,
                       %s::bigint, %s, %s
                FROM letter JOIN due USING (id) ORDER BY letter.id
            )
            SELECT letter.id, letter.version FROM letter JOIN due USING (id)
            WHERE %s AND due.first_visible_at IS NULL ORDER BY letter.id
            """,  # noqa: S608 - composed of constants; every value is a parameter
            [
                *due.params,
                *(template.pk, by.at, by.at),
                *(LetterAction.SHOWN, by.actor.pk if by.actor else None, by.cause, by.at),
                notify,
            ],
        )
        told = [QueuedNotice(pk, version, Notice.ISSUED) for pk, version in cursor.fetchall()]
    if told:
        queue_notices(told, at=by.at)
