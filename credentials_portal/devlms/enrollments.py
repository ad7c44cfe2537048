"""Who is enrolled in which run, and in which mode.

Everybody is a learner of it, and every well-formed key is a run with all modes, open to all,
unless it was told otherwise.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from credentials_portal.devremote import Reply, StandIn

KEY = re.compile(r"course-v1:[^/+]+\+[^/+]+\+[^/?+]+")
ENROLLMENT = "/api/enrollment/v1/enrollment"
COURSE = "/api/enrollment/v1/course/"
MODES = ("audit", "honor", "verified", "professional", "no-id-professional", "credit", "masters")
PAGE_SIZE = 2
ENROLLED_AT = datetime(2024, 1, 1, tzinfo=UTC).isoformat()


@dataclass
class Enrolled:
    mode: str
    is_active: bool


@dataclass
class EnrollmentApi(StandIn):
    """`enrollments` are by username and key of the run. `modes` are those of the runs that do not
    have all, `expired_modes` pairs of run and mode that nobody can take any more; `closed_runs`
    take nobody new."""

    enrollments: dict[tuple[str, str], Enrolled] = field(default_factory=dict)
    unknown_learners: set[str] = field(default_factory=set)
    unknown_runs: set[str] = field(default_factory=set)
    closed_runs: set[str] = field(default_factory=set)
    modes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    expired_modes: set[tuple[str, str]] = field(default_factory=set)

    def active_mode(self, username: str, key: str) -> str | None:
        """The mode of an enrollment; None: there is none, or it has ended."""
        enrolled = self.enrollments.get((username, key))
        return enrolled.mode if enrolled and enrolled.is_active else None

    def set_enrollment(self, _path: str, body: Any) -> Reply:
        """Set an enrollment's state: a repeated call changes nothing."""
        username: str = body.get("user") or ""
        mode: str | None = body.get("mode")
        is_active = body.get("is_active")
        key: str = (body.get("course_details") or {}).get("course_id") or ""
        present = self.enrollments.get((username, key))
        refusal = self._refusal(username, key, is_active) or self._refusal_of_mode(
            key, mode, is_active, present
        )
        if refusal:
            return refusal
        if present is None:
            if key in self.closed_runs:
                return _refused(
                    "An error occurred while creating the new course enrollment for user"
                    f" '{username}' in course '{key}'"
                )
            present = Enrolled(mode or self._offered(key)[0], is_active=True)
            self.enrollments[username, key] = present
        present.mode = mode or present.mode
        # Without a word on it, an enrollment that has ended begins again.
        present.is_active = is_active is not False
        return 200, self._told(username, key)

    def enrollment(self, path: str, _body: Any) -> Reply:
        """An empty body where there is none."""
        asked = unquote(urlsplit(path).path).removeprefix(f"{ENROLLMENT}/")
        username, _, key = asked.partition(",")
        is_enrolled = (username, key) in self.enrollments
        return 200, self._told(username, key) if is_enrolled else None

    def list_enrollments(self, path: str, _body: Any) -> Reply:
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        named = query.get("username")
        found = [
            self._told(username, key)
            for username, key in sorted(self.enrollments)
            if (named is None or username in named.split(","))
            and query.get("course_id", key) == key
        ]
        start = int(query.get("cursor", "0"))
        ends = start + PAGE_SIZE >= len(found)
        pages = f"{self.url}{urlsplit(path).path}?"
        return 200, {
            "next": None if ends else pages + urlencode({**query, "cursor": start + PAGE_SIZE}),
            "previous": pages + urlencode({**query, "cursor": start - PAGE_SIZE})
            if start
            else None,
            "results": [
                {**one, "course_id": one.pop("course_details")["course_id"]}
                for one in found[start : start + PAGE_SIZE]
            ],
        }

    def course(self, path: str, _body: Any) -> Reply:
        asked = urlsplit(path)
        key = unquote(asked.path).removeprefix(COURSE)
        if not self._is_run(key):
            return _refused(f"No course found for course ID '{key}'")
        with_expired = parse_qs(asked.query).get("include_expired") == ["1"]
        return 200, self._details(key, with_expired=with_expired)

    routes = {
        ("POST", ENROLLMENT): set_enrollment,
        ("GET", f"{ENROLLMENT}/"): enrollment,
        ("GET", f"{ENROLLMENT}s"): list_enrollments,
        ("GET", COURSE): course,
    }

    def _refusal(self, username: str, key: str, is_active: Any) -> Reply | None:
        if not key:
            return _refused("Course ID must be specified to create a new enrollment.")
        if not self._is_run(key):
            return _refused(f"No course '{key}' found for enrollment")
        if not isinstance(is_active, bool | None):
            return _refused(f"'{is_active}' is an invalid enrollment activation status.")
        if not username or username in self.unknown_learners:
            return 406, {"message": f"The user {username} does not exist."}
        return None

    def _refusal_of_mode(
        self, key: str, mode: str | None, is_active: bool | None, present: Enrolled | None
    ) -> Reply | None:
        is_mismatch = present is not None and mode not in (None, present.mode)
        if present and is_mismatch and present.is_active and is_active is False:
            return _refused(
                f"Enrollment mode mismatch: active mode={present.mode}, requested mode={mode}."
                " Won't deactivate."
            )
        if mode and is_active is not False and mode not in self._offered(key):
            return 400, {
                "message": f"The [{mode}] course mode is expired or otherwise unavailable for"
                f" course run [{key}].",
                "course_details": self._details(key, with_expired=False),
            }
        return None

    def _is_run(self, key: str) -> bool:
        return bool(KEY.fullmatch(key)) and key not in self.unknown_runs

    def _offered(self, key: str, *, with_expired: bool = False) -> list[str]:
        return [
            mode
            for mode in self.modes.get(key, MODES)
            if with_expired or (key, mode) not in self.expired_modes
        ]

    def _details(self, key: str, *, with_expired: bool) -> dict[str, Any]:
        modes = self._offered(key, with_expired=with_expired)
        return {
            "course_id": key,
            "course_name": key,
            "course_start": None,
            "course_end": None,
            "enrollment_start": None,
            "enrollment_end": None,
            "course_modes": [{"slug": mode, "expiration_datetime": None} for mode in modes],
        }

    def _told(self, username: str, key: str) -> dict[str, Any]:
        enrolled = self.enrollments[username, key]
        return {
            "created": ENROLLED_AT,
            "mode": enrolled.mode,
            "is_active": enrolled.is_active,
            "user": username,
            "course_details": self._details(key, with_expired=True),
        }


def _refused(message: str) -> Reply:
    return 400, {"message": message}
