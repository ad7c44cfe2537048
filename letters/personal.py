"""What the columns of `letters` hold about persons; `services.retire_letters` erases it."""

from credentials_portal.core.personal import register

CODE = "a name from the code"
CONTENT = "the text of an institution's document"
SIGNATORY = "kept: the signature under a public document, frozen with its revision"
STAFFS_WORDS = "emptied with the person's letter, elsewhere erased by name"

register.holds_personal(
    letters__ProgramLetter__recipient_name="emptied",
    letters__ProgramLetter__state_note=STAFFS_WORDS,
    letters__ProgramLetter__revocation_reason="replaced by a code, elsewhere erased by name",
    letters__LetterEvent__note=STAFFS_WORDS,
    letters__LetterEvent__before="old names and notes go with the letter's, elsewhere by name",
    letters__LetterWaiver__reason="replaced by ***, elsewhere erased by name",
    letters__LetterValidationRun__approval_reason="erased by name",
    letters__LetterSignatory__name=SIGNATORY,
    letters__LetterSignatory__title_line_1=SIGNATORY,
    letters__LetterSignatory__title_line_2=SIGNATORY,
)
register.holds_nothing_personal(
    letters__ProgramLetter__state_reason=CODE,
    letters__ProgramLetter__evidence="keys of courses and runs, ids of rows, dates",
    letters__LetterEvent__reason=CODE,
    letters__LetterEvent__failed_checks=CODE,
    letters__LetterEvent__cause=CODE,
    letters__LetterWaiver__code=CODE,
    letters__LetterValidationRun__scope="states, dates, uuids of letters, ids of programs",
    letters__LetterValidationRun__counters="numbers by codes",
    letters__LetterRevalidation__cause=CODE,
    letters__LetterPicture__sha256="a hash",
    letters__ProgramLetterTemplate__header=CONTENT,
    letters__ProgramLetterTemplate__text=CONTENT,
    letters__ProgramLetterTemplate__footer=CONTENT,
)
