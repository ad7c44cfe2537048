"""What a letter is worth, said once more: slowly, in Python, over plain values.

Written from the decisions, not from the SQL. Completion is the oracle's of `programs`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tests.programs.oracle import Attempt, Version, World, dates_met, version_in_force

OWN_CHECKS = (
    "learner_identity",
    "program_certificate_active",
    "program_started",
    "evidence_not_after_issue",
)


@dataclass(frozen=True)
class Letter:
    state: str
    version: int | None  # index of the requirements at issue; None: unknown
    issued_at: datetime | None


@dataclass(frozen=True)
class Subject:
    """A learner of the world: who they are, their letter, and what was waived for them."""

    letter: Letter | None
    is_identifiable: bool
    has_lost_certificate: bool
    waived: frozenset[str]


@dataclass(frozen=True)
class Expected:
    verdict: str
    failed_checks: tuple[str, ...]
    planned_action: str
    completed_at: datetime | None
    statuses: dict[str, str]


@dataclass(frozen=True)
class Requirement:
    code: str
    courses: tuple[int, ...]
    needed: int


def requirements(version: Version, codes: dict[tuple[Version, int], str]) -> Iterator[Requirement]:
    """`codes` names the elective sets, by version and place of the group."""
    for place, group in enumerate(version.groups):
        if group.required_number is None:
            for course in group.courses:
                yield Requirement(f"core_course:course {course}", (course,), 1)
        else:
            yield Requirement(codes[version, place], group.courses, group.required_number)


def judge(
    world: World,
    attempts: dict[int, Attempt],
    subject: Subject,
    *,
    at: datetime,
    against_current: bool,
    codes: dict[tuple[Version, int], str],
) -> Expected:
    letter = subject.letter
    own = None
    if letter and letter.version is not None and not against_current:
        own = world.versions[letter.version]
    deciding = own if own and own.groups else version_in_force(world, at)

    passes: dict[str, bool] = {"requirements_defined": bool(deciding and deciding.groups)}
    since: list[datetime] = []
    has_undated = False
    if deciding and deciding.groups:
        required = list(requirements(deciding, codes))
        passes["requirements_satisfiable"] = all(
            sum(is_offered(world, course) for course in one.courses) >= one.needed
            for one in required
        )
        for one in required:
            firsts = [
                min(filter(None, dates), default=None)
                for dates in (dates_met(world, attempts, course, at) for course in one.courses)
                if dates
            ]
            passes[one.code] = len(firsts) >= one.needed
            known = sorted(filter(None, firsts))
            if len(known) >= one.needed:
                since.append(known[one.needed - 1])
            elif passes[one.code]:
                has_undated = True

    issued_at = letter.issued_at if letter else None
    failing_own = {
        "requirements_defined": bool(own and not own.groups and passes["requirements_defined"]),
        "learner_identity": not subject.is_identifiable,
        "program_certificate_active": subject.has_lost_certificate,
        "program_started": not (has_undated or had_started(world, deciding, since, issued_at)),
        "evidence_not_after_issue": bool(issued_at and since and max(since) > issued_at),
    }
    own_failed = [c for c, fails in failing_own.items() if fails and c not in subject.waived]
    missing = [c for c, is_met in passes.items() if not is_met and c not in subject.waived]
    if failing_own["requirements_defined"]:
        told = {**passes, "requirements_defined": False}
    else:
        told = passes
    return Expected(
        verdict=(verdict := verdict_of(passes, own_failed, missing)),
        failed_checks=(*own_failed, *missing),
        planned_action=action_for(letter, verdict, own_failed),
        completed_at=max(since, default=None),
        statuses={
            **{code: status(code, is_met, subject) for code, is_met in told.items()},
            **{code: status(code, not failing_own[code], subject) for code in OWN_CHECKS},
        },
    )


def is_offered(world: World, course: int) -> bool:
    return any(run.course == course and run.is_included for run in world.runs)


def had_started(
    world: World, version: Version | None, since: list[datetime], issued_at: datetime | None
) -> bool:
    """Whether anybody could have completed the program, or this learner had begun to."""
    courses = {course for group in (version.groups if version else ()) for course in group.courses}
    ends = [r.ends_at for r in world.runs if r.is_included and r.course in courses and r.ends_at]
    if issued_at is None or not ends:
        return True
    return issued_at >= min(ends) or any(moment <= issued_at for moment in since)


def verdict_of(passes: dict[str, bool], own_failed: list[str], missing: list[str]) -> str:
    if not passes["requirements_defined"]:
        return "invalid"
    if {"learner_identity", "program_certificate_active"} & set(own_failed):
        return "invalid"
    if not missing:
        return "valid"
    return "indeterminate" if "requirements_satisfiable" in missing else "invalid"


def action_for(letter: Letter | None, verdict: str, own_failed: list[str]) -> str:
    state = letter.state if letter else None
    if verdict == "invalid" and state == "active":
        return "suspend"
    if verdict != "valid" or state not in {"active", "suspended"}:
        return "none"
    if {"program_started", "evidence_not_after_issue"} & set(own_failed):
        return "reissue"
    return "lift" if state == "suspended" else "none"


def status(code: str, passes: bool, subject: Subject) -> str:
    is_own = code in OWN_CHECKS
    if passes:
        # A waiver of an own check is told even where the check would pass.
        return "waived" if is_own and code in subject.waived else "pass"
    if code in subject.waived:
        return "waived"
    return "unknown" if code == "requirements_satisfiable" else "fail"
