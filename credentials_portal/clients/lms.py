"""The LMS: enrollments that rest on licenses, and which learners belong to which customer."""

import os
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.conf import settings

from credentials_portal.clients.http import Answer, Result, Unavailable
from credentials_portal.clients.oauth import AuthorizedClient, TokenSource

ENROLLMENT = "/api/enrollment/v1/"
ENTERPRISE = "/enterprise/api/v1/"
ENROLLMENTS_OF_LICENSES = f"{ENTERPRISE}licensed-enterprise-course-enrollment/"
LINKS_PER_CALL = 50
MOST_PAGES = 100


class Lms:
    """What this portal asks of the LMS. Every call is one that may be repeated."""

    def __init__(
        self, base_url: str, client_id: str, client_secret: str, *, timeout_seconds: float
    ) -> None:
        tokens = TokenSource(base_url, client_id, client_secret, timeout_seconds=timeout_seconds)
        self._client = AuthorizedClient("lms", base_url, tokens, timeout_seconds=timeout_seconds)

    def enrollment(self, username: str, course_id: str) -> Result:
        """A learner's enrollment in a run, ended or not; the body is None where there is none."""
        result = self._call("GET", f"{ENROLLMENT}enrollment/{quote(username)},{quote(course_id)}")
        if isinstance(result, Answer) and not _is_enrollment(result.body):
            has_none = not result.body
            return (
                Answer(result.status) if has_none else Unavailable("no_enrollment", result.status)
            )
        return result

    def enroll(self, username: str, course_id: str, *, mode: str) -> Result:
        """Enroll a learner in a run, or give the enrollment this mode. Repeating it does no harm.

        Refused with 406 for an unknown learner, and with 400 for an unknown run or a mode that is
        not to be had.
        """
        return self._set_enrollment(username, course_id, {"mode": mode, "is_active": True})

    def unenroll(self, username: str, course_id: str) -> Result:
        """End a learner's enrollment in a run, whatever its mode is."""
        return self._set_enrollment(username, course_id, {"is_active": False})

    def expire_enrollments(
        self, license_uuids: Collection[UUID], *, ignore_modified_after: datetime | None
    ) -> Result:
        """Downgrade the paid enrollments of these licenses.

        Refused with 422 when it failed for some of them, although the others are done.
        """
        return self._post(
            f"{ENROLLMENTS_OF_LICENSES}bulk_licensed_enrollments_expiration/",
            {
                "expired_license_uuids": [str(uuid) for uuid in license_uuids],
                "ignore_enrollments_modified_after": (
                    ignore_modified_after.isoformat() if ignore_modified_after else None
                ),
            },
        )

    def unlink_learners(
        self, customer_uuid: UUID, emails: Collection[str], *, is_relinkable: bool
    ) -> Result:
        """Unlink all or none. An unknown learner is no error; one malformed address refuses all."""
        return self._post(
            f"{ENTERPRISE}enterprise-customer/{customer_uuid}/unlink_users/",
            {"user_emails": list(emails), "is_relinkable": is_relinkable},
        )

    def link_learners(self, customer_uuid: UUID, emails: Sequence[str]) -> Result:
        """Link learners, 50 a call; the first call that fails is the last, and the result."""
        result: Result = Answer(HTTPStatus.OK)
        for start in range(0, len(emails), LINKS_PER_CALL):
            page = emails[start : start + LINKS_PER_CALL]
            result = self._post(
                f"{ENTERPRISE}pending-enterprise-learner/",
                [{"enterprise_customer": str(customer_uuid), "user_email": one} for one in page],
            )
            if not isinstance(result, Answer):
                break
        return result

    def revoke_enrollments(self, customer_uuid: UUID, lms_user_id: int) -> Result:
        """Downgrade the paid enrollments that a learner has through a customer's license."""
        return self._post(
            f"{ENROLLMENTS_OF_LICENSES}license_revoke/",
            {"user_id": lms_user_id, "enterprise_id": str(customer_uuid)},
        )

    def customer(self, customer_uuid: UUID) -> Result:
        """The customer's name and slug."""
        return self._call("GET", f"{ENTERPRISE}enterprise-customer/{customer_uuid}/")

    def administrators(self, customer_uuid: UUID) -> Result:
        """The customer's administrators, of all pages, in the answer's body as one list."""
        query = {"enterprise_customer": str(customer_uuid), "role": "enterprise_admin"}
        found: list[Any] = []
        for page in range(1, MOST_PAGES + 1):
            result = self._call(
                "GET", f"{ENTERPRISE}enterprise-learner/", query={**query, "page": str(page)}
            )
            if not isinstance(result, Answer):
                return result
            if not isinstance(result.body, dict) or not isinstance(
                result.body.get("results"), list
            ):
                return Unavailable("no_page", result.status)
            found += result.body["results"]
            if not result.body.get("next"):
                break
        return Answer(HTTPStatus.OK, found)

    def close(self) -> None:
        self._client.close()

    def _set_enrollment(self, username: str, course_id: str, values: dict[str, Any]) -> Result:
        result = self._post(
            f"{ENROLLMENT}enrollment",
            {"user": username, "course_details": {"course_id": course_id}, **values},
        )
        if isinstance(result, Answer) and not _is_enrollment(result.body):
            return Unavailable("no_enrollment", result.status)
        return result

    def _post(self, path: str, body: Any) -> Result:
        return self._call("POST", path, json=body)

    def _call(self, method: str, path: str, **content: Any) -> Result:
        return self._client.call(method, path, **content)


def lms() -> Lms | None:
    """The LMS that the settings name; None: there is none."""
    if not settings.LMS_BASE_URL:
        return None
    with _making:
        return _client(
            os.getpid(),
            settings.LMS_BASE_URL,
            settings.LMS_CLIENT_ID,
            settings.LMS_CLIENT_SECRET,
            settings.LMS_TIMEOUT_SECONDS,
        )


# Threads that ask for the first one at once would make one each.
_making = Lock()


@cache
def _client(_pid: int, base_url: str, client_id: str, secret: str, timeout_seconds: float) -> Lms:
    """One for each process: a connection that two of them use mixes their answers up."""
    return Lms(base_url, client_id, secret, timeout_seconds=timeout_seconds)


def _is_enrollment(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("is_active"), bool) and "mode" in body
