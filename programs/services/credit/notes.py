"""What people write to a request: staff why they ask, institutions what they decide."""

from credentials_portal.core.errors import DomainError
from programs.models.pathways import MAX_NOTE


class NoteInvalidError(DomainError):
    """A text is too long, or holds what cannot be stored."""

    code = "note_invalid"


def tidy_note(text: str) -> str:
    """The text as it is kept, with its lines. Raises `NoteInvalidError`."""
    note = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if "\0" in note:
        raise NoteInvalidError("The text holds a character that cannot be stored.")
    if len(note) > MAX_NOTE:
        raise NoteInvalidError(f"The text is longer than {MAX_NOTE} characters.")
    return note
