"""Errors of the domain. Interfaces turn them into a 4xx, a form error or a `CommandError`."""

from typing import Any


class DomainError(Exception):
    """A request that the rules refuse; nothing was changed.

    `code` is stable and machine-readable; `message` is for people and names no person. `details`
    are plain values that programs can act on, by name.
    """

    code = "refused"

    @property
    def details(self) -> dict[str, Any]:
        return {}

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFoundError(DomainError):
    """The thing that was named does not exist, or not for this caller."""

    code = "not_found"


class GoneError(NotFoundError):
    """The thing existed, and was withdrawn. Pages say so; to the API it is not found."""

    code = "gone"


class ConflictError(DomainError):
    """The thing is not in a state in which this can be done."""

    code = "conflict"
