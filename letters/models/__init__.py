from letters.models.letters import LetterEvent, LetterWaiver, ProgramLetter
from letters.models.runs import (
    LetterRevalidation,
    LetterValidationResult,
    LetterValidationRun,
    ProgramLetterConfiguration,
)
from letters.models.templates import LetterSignatory, ProgramLetterTemplate

__all__ = [
    "LetterEvent",
    "LetterRevalidation",
    "LetterSignatory",
    "LetterValidationResult",
    "LetterValidationRun",
    "LetterWaiver",
    "ProgramLetter",
    "ProgramLetterConfiguration",
    "ProgramLetterTemplate",
]
