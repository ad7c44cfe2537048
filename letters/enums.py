from collections.abc import Mapping
from types import MappingProxyType

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class LetterState(TextChoices):
    """What a letter is worth now.

    The machine suspends and may lift its own suspension; only a person revokes, and only
    `reinstate_letter` leads out of it.
    """

    PENDING = "pending", _("pending")
    ACTIVE = "active", _("active")
    SUSPENDED = "suspended", _("suspended")
    REVOKED = "revoked", _("revoked")


class IssuedVia(TextChoices):
    COMMAND = "command", _("by a command")
    QUEUE = "queue", _("by the queue, after a change")
    IMPORT = "import", _("imported")


class LetterAction(TextChoices):
    """What an event did to its letter."""

    ISSUED = "issued", _("issued")
    HELD = "held", _("held for release by staff")
    RELEASED = "released", _("released by staff")
    IMPORTED = "imported", _("imported")
    SUSPENDED = "suspended", _("suspended")
    LIFTED = "lifted", _("suspension lifted")
    REISSUED = "reissued", _("issued again with a true date")
    SHOWN = "shown", _("shown: its text was published")
    REFRESHED = "refreshed", _("name and text brought up to date")
    REVOKED = "revoked", _("revoked")
    REINSTATED = "reinstated", _("reinstated")
    ROLLED_BACK = "rolled_back", _("put back as it was before a run")
    RETIRED = "retired", _("withdrawn because its holder left")


class Verdict(TextChoices):
    VALID = "valid", _("valid")
    INVALID = "invalid", _("invalid")
    INDETERMINATE = "indeterminate", _("indeterminate")


class PlannedAction(TextChoices):
    NONE = "none", _("nothing")
    SUSPEND = "suspend", _("suspend")
    LIFT = "lift", _("lift the suspension")
    REISSUE = "reissue", _("issue again with a true date")


class RunKind(TextChoices):
    PLAN = "plan", _("validation plan")
    ISSUE = "issue", _("issue")
    REVALIDATE = "revalidate", _("revalidation")


class RunStatus(TextChoices):
    RUNNING = "running", _("running")
    ABORTED = "aborted", _("aborted")
    DONE = "done", _("done")
    APPLYING = "applying", _("being applied")
    APPLIED = "applied", _("applied")
    ROLLED_BACK = "rolled_back", _("rolled back")
    HOLDING = "holding", _("holds letters for release")
    RELEASED = "released", _("released")


class Outcome(TextChoices):
    """What became of one letter of a plan."""

    OPEN = "", _("not applied")
    CHANGED = "changed", _("changed")
    SKIPPED = "skipped", _("skipped: changed since the plan")
    FAILED = "failed", _("failed")
    RESTORED = "restored", _("put back")
    KEPT = "kept", _("not put back: touched since")


class Against(TextChoices):
    """By which requirements a letter is judged."""

    ISSUE = "issue", _("those in force when it was issued")
    CURRENT = "current", _("those in force now")


class TemplateStatus(TextChoices):
    DRAFT = "draft", _("draft")
    PUBLISHED = "published", _("published")
    WITHDRAWN = "withdrawn", _("withdrawn")


class Viewer(TextChoices):
    """Who opened a letter."""

    HOLDER = "holder", _("its holder")
    STAFF = "staff", _("staff")
    OTHER = "other", _("others")


class Notice(TextChoices):
    """What a mail tells the holder of a letter."""

    ISSUED = "issued", _("the letter is there")
    WITHDRAWN = "withdrawn", _("the letter is not valid any more, or not at the moment")
    VALID_AGAIN = "valid_again", _("the letter is valid again")


APPEARANCE = (LetterAction.SHOWN, LetterAction.REFRESHED)
"""Events about how a letter looks: no decision about what it is worth."""

LEARNER_IDENTITY = "learner_identity"
PROGRAM_CERTIFICATE_ACTIVE = "program_certificate_active"
PROGRAM_STARTED = "program_started"
EVIDENCE_NOT_AFTER_ISSUE = "evidence_not_after_issue"
REQUIREMENTS_DEFINED = "requirements_defined"

EXPLANATORY_CHECKS = (PROGRAM_STARTED, EVIDENCE_NOT_AFTER_ISSUE)
"""They explain a false letter; they decide nothing once every other check passes."""

UNWAIVABLE_CHECKS = (REQUIREMENTS_DEFINED, LEARNER_IDENTITY)

IMPORTED_INACTIVE = "imported_inactive"
"""Reason of a suspension that came with an import: only a reviewed plan lifts it."""

USER_RETIRED = "user_retired"
"""Reason of a revocation because the holder left: nothing lifts it."""

RULESET_VERSION = 1
"""Goes up when the meaning of a check changes; every letter keeps the one that judged it."""


CHECK_WORDS = {
    REQUIREMENTS_DEFINED: _("the program has no requirements"),
    "requirements_satisfiable": _("the program's runs leave its requirements impossible to meet"),
    "core_course": _("the core course {subject} is not passed"),
    "elective_set": _("too few courses of elective set {subject} are passed"),
    LEARNER_IDENTITY: _("the learner has no name, is deactivated, or has left"),
    PROGRAM_CERTIFICATE_ACTIVE: _("the program certificate was revoked"),
    PROGRAM_STARTED: _("it was issued before anybody could complete the program"),
    EVIDENCE_NOT_AFTER_ISSUE: _("it was issued before its requirements were met"),
}


def describe_check(code: str, titles: Mapping[str, str] = MappingProxyType({})) -> str:
    """Words for a check that fails; codes such as `core_course:MITx+6.00` carry a subject.

    `titles` are those of the subjects, by code, where they are known.
    """
    kind, __, subject = code.partition(":")
    title = f" ({titles[code]})" if code in titles else ""
    return str(CHECK_WORDS.get(kind, code)).format(subject=f"{subject}{title}")


REASONS = {
    IMPORTED_INACTIVE: _("it came switched off from another system"),
    USER_RETIRED: _("its holder left"),
    "breaker": _("a breaker holds it until staff releases it"),
    "revoked": _("a person withdrew it"),
}


def describe_reason(code: str, titles: Mapping[str, str] = MappingProxyType({})) -> str:
    """Words for why a letter is in its state; empty where nothing needs a reason."""
    return str(REASONS[code]) if code in REASONS else describe_check(code, titles)


CAUSES = {
    "course_grade_changed": _("a grade changed"),
    "course_certificate_awarded": _("a course certificate was awarded"),
    "course_certificate_revoked": _("a course certificate was revoked"),
    "program_certificate_awarded": _("the program certificate was awarded"),
    "program_certificate_revoked": _("the program certificate was revoked"),
    "program_requirements_changed": _("the program's requirements or runs changed"),
    "waiver_granted": _("a check was waived"),
    "waiver_withdrawn": _("a waiver was withdrawn"),
    "sweep": _("a sweep found it out of step"),
}
WAYS = {
    "admin": _("in the admin"),
    "api": _("through the API"),
    "command": _("by the command {name}"),
}


def describe_cause(cause: str) -> str:
    """Words for what led to a change, such as `course_grade_changed:admin`: what, and which way."""
    what, __, way = cause.partition(":")
    if what not in CAUSES:
        what, way = "", cause
    kind, __, name = way.partition(":")
    words = [CAUSES.get(what, ""), str(WAYS.get(kind, way)).format(name=name)]
    return ", ".join(str(word) for word in words if word)
