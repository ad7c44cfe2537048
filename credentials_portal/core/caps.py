"""How much a command may withdraw at once."""

from dataclasses import dataclass

from credentials_portal.core.errors import DomainError


class CapExceededError(DomainError):
    code = "cap_exceeded"


@dataclass(frozen=True)
class Cap:
    """A limit that a service checks once it knows what it would change, before changing it.

    `is_overridden` (`--yes-really`) lets everything pass.
    """

    max_changes: int | None = None
    max_percent: float | None = None
    is_overridden: bool = False

    def check(self, changes: int, *, of: int) -> None:
        """Raise `CapExceededError` if `changes` out of `of` are more than the cap lets pass."""
        if self.is_overridden:
            return
        if self.max_changes is not None and changes > self.max_changes:
            raise CapExceededError(
                f"{changes} would change, more than --max-changes {self.max_changes}; nothing was changed."
            )
        if self.max_percent is not None and changes * 100 > self.max_percent * of:
            raise CapExceededError(
                f"{changes} of {of} ({changes / max(of, 1):.1%}) would change, more than --max-percent"
                f" {self.max_percent:g}; nothing was changed."
            )
