from letters.models.letters import (
    LetterEvent,
    LetterViewCount,
    LetterWaiver,
    ProgramLetter,
    ProgramLetterQuerySet,
)
from letters.models.runs import (
    LetterRevalidation,
    LetterValidationResult,
    LetterValidationRun,
    ProgramLetterConfiguration,
)
from letters.models.templates import LetterPicture, LetterSignatory, ProgramLetterTemplate

__all__ = [
    "LetterEvent",
    "LetterPicture",
    "LetterRevalidation",
    "LetterSignatory",
    "LetterValidationResult",
    "LetterValidationRun",
    "LetterViewCount",
    "LetterWaiver",
    "ProgramLetter",
    "ProgramLetterConfiguration",
    "ProgramLetterQuerySet",
    "ProgramLetterTemplate",
]
