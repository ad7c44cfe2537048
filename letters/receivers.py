"""What letters do when something else happens: they queue, and judge after the commit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import Signal, receiver

from credentials_portal.accounts.models import User
from credentials_portal.accounts.signals import RetiredUser, user_retired
from credentials_portal.core.history import Attribution
from letters import services
from programs import selectors as programs
from programs.signals import (
    ProgramChange,
    ProgramFact,
    RunFact,
    course_certificate_awarded,
    course_certificate_revoked,
    course_grade_changed,
    program_certificate_awarded,
    program_certificate_revoked,
    program_requirements_changed,
)

EVENTS = {
    course_grade_changed: "course_grade_changed",
    course_certificate_awarded: "course_certificate_awarded",
    course_certificate_revoked: "course_certificate_revoked",
    program_certificate_awarded: "program_certificate_awarded",
    program_certificate_revoked: "program_certificate_revoked",
    program_requirements_changed: "program_requirements_changed",
}
"""The causes that a letter's timeline tells: what happened, and after a colon through what."""


@receiver(
    [course_grade_changed, course_certificate_awarded, course_certificate_revoked],
    dispatch_uid="letters.queue_learners_on_course_result",
)
def queue_learners_on_course_result(
    signal: Signal, items: Sequence[RunFact], at: datetime, cause: str, **_kwargs: Any
) -> None:
    """Queue each learner for every program that includes the run."""
    of_run = programs.programs_including_runs({item.course_run_id for item in items})
    services.open_revalidations(
        (
            (item.user_id, program_id)
            for item in items
            for program_id in of_run.get(item.course_run_id, ())
        ),
        cause=f"{EVENTS[signal]}:{cause}",
        at=at,
    )


@receiver(
    [program_certificate_awarded, program_certificate_revoked],
    dispatch_uid="letters.queue_learners_on_program_certificate",
)
def queue_learners_on_program_certificate(
    signal: Signal, items: Sequence[ProgramFact], at: datetime, cause: str, **_kwargs: Any
) -> None:
    services.open_revalidations(
        ((item.user_id, item.program_id) for item in items),
        cause=f"{EVENTS[signal]}:{cause}",
        at=at,
    )


@receiver(
    program_requirements_changed, dispatch_uid="letters.queue_program_on_requirements_changed"
)
def queue_program_on_requirements_changed(
    signal: Signal, items: Sequence[ProgramChange], at: datetime, cause: str, **_kwargs: Any
) -> None:
    for item in items:
        services.open_revalidations_of_program(
            item.program_id, cause=f"{EVENTS[signal]}:{cause}", at=at
        )


@receiver(user_retired, dispatch_uid="letters.retire_letters_on_user_retired")
def retire_letters_on_user_retired(
    items: Sequence[RetiredUser], at: datetime, actor: User | None, cause: str, **_kwargs: Any
) -> None:
    """Join the transaction: what is personal goes with the person."""
    services.retire_letters(
        names={
            item.user_id: (item.former_username, item.former_email, item.former_full_name)
            for item in items
        },
        by=Attribution(at=at, actor=actor, cause=cause),
    )
