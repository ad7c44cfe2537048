"""Credit pathways as a learner meets them, requests with their story, and the answer's address."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from credentials_portal.core.errors import GoneError, NotFoundError
from programs.enums import CreditAnswer, CreditRequestStatus
from programs.models import Pathway, UserCreditPathway
from programs.selectors.sharing import record_csv_link, record_link

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

__all__ = [
    "ANSWERABLE_FOR",
    "OfferedPathway",
    "TimelineEntry",
    "answer_link",
    "pathways_of",
    "record_csv_link",
    "record_link",
    "request_of_token",
    "requests_of_learner",
    "timeline_of",
]

ANSWERABLE_FOR = timedelta(days=365)
REACHED = frozenset({CreditRequestStatus.QUEUED, CreditRequestStatus.SENT})
"""What a request is while it is with the institution, or on its way."""


@dataclass(frozen=True)
class OfferedPathway:
    """A pathway that takes requests about a program, and this learner's requests to it.

    `was_sent`: one of them about this program is with the institution, or on its way.
    `last_request` is the newest, however it ended.
    """

    pathway: Pathway
    was_sent: bool
    last_request: UserCreditPathway | None

    @property
    def id(self) -> int:
        return self.pathway.pk

    @property
    def uuid(self) -> UUID:
        return self.pathway.uuid

    @property
    def name(self) -> str:
        return self.pathway.name

    @property
    def org_name(self) -> str:
        return self.pathway.org_name

    @property
    def institution(self) -> str:
        return self.pathway.institution

    @property
    def contact_name(self) -> str:
        return self.pathway.contact_name

    @property
    def consent_text(self) -> str:
        """What the institution asks learners to agree to; empty: the portal's own words."""
        return self.pathway.consent_text

    @property
    def requires_completion(self) -> bool:
        return self.pathway.requires_completion

    @property
    def status(self) -> str:
        """In the older service's words: "sent" or nothing."""
        return CreditRequestStatus.SENT if self.was_sent else ""


@dataclass(frozen=True)
class TimelineEntry:
    """Something that happened to a request; `note` is what the institution wrote.

    `actor` and `reason`: who of the portal's people did it and why, for staff. None: the portal,
    or the institution.
    """

    at: datetime
    code: CreditRequestStatus | CreditAnswer
    note: str = ""
    actor: "User | None" = field(default=None, compare=False)
    reason: str = field(default="", compare=False)

    @property
    def label(self) -> str:
        return str(self.code.label)


def pathways_of(*, program_id: int, user_id: int) -> list[OfferedPathway]:
    """The pathways to which this learner can send this program's record: two statements."""
    pathways = list(Pathway.objects.taking_requests_about(program_id).order_by("name", "pk"))
    asked: defaultdict[int, list[UserCreditPathway]] = defaultdict(list)
    requests = UserCreditPathway.objects.filter(
        user_id=user_id, program_id=program_id, pathway__in=pathways
    )
    for request in requests.order_by("-number"):
        asked[request.pathway_id].append(request)
    return [
        OfferedPathway(
            pathway=pathway,
            was_sent=any(request.status in REACHED for request in asked[pathway.pk]),
            last_request=next(iter(asked[pathway.pk]), None),
        )
        for pathway in pathways
    ]


def requests_of_learner(*, user_id: int) -> list[UserCreditPathway]:
    """All of a learner's requests, imported ones too, newest first: one statement."""
    requests = UserCreditPathway.objects.select_related("pathway", "program", "shared_record")
    return list(requests.filter(user_id=user_id).order_by("-requested_at", "-pk"))


def timeline_of(request: UserCreditPathway) -> list[TimelineEntry]:
    """What happened to a request, by its history, in its order: one statement."""
    return list(_story(request.history.order_by("history_id").select_related("history_user")))


def _story(versions: Iterable[Any]) -> Iterable[TimelineEntry]:
    """An entry for each change of state, and for each answer, or change of one."""
    status, answer = "", ("", "")
    for version in versions:
        happened: list[TimelineEntry] = []
        if not status:
            happened.append(TimelineEntry(version.requested_at, CreditRequestStatus.QUEUED))
            status = CreditRequestStatus.QUEUED
        if version.status != status:
            status = version.status
            happened.extend(_turn(version))
        said = (version.answer, version.answer_note)
        if said != answer and version.answer and version.answered_at:
            told = CreditAnswer(version.answer)
            happened.append(TimelineEntry(version.answered_at, told, version.answer_note))
        answer = said
        for entry in happened:
            reason = version.history_change_reason or ""
            yield replace(entry, actor=version.history_user, reason=reason)


def _turn(version: Any) -> Iterable[TimelineEntry]:
    """What its new state says; the older service's "other" says nothing."""
    dates = {
        CreditRequestStatus.SENT: version.sent_at,
        CreditRequestStatus.WITHDRAWN: version.withdrawn_at,
    }
    status = CreditRequestStatus(version.status)
    if status != CreditRequestStatus.OTHER:
        yield TimelineEntry(dates.get(status) or version.history_date, status)


def answer_link(request: UserCreditPathway) -> str:
    """Where the institution answers this request, and nothing else: whoever has it may."""
    path = reverse("answer_credit_request", args=[_signer().sign(request.uuid.hex)])
    return f"{settings.PORTAL_BASE_URL}{path}"


def request_of_token(token: str, *, at: datetime) -> UserCreditPathway:
    """The request for which `answer_link` made this token, with all that it names.

    Raises `NotFoundError` for a token that nobody signed, `GoneError` once the request is
    withdrawn, its learner has left, or a year has passed.
    """
    try:
        uuid = UUID(_signer().unsign(token))
    except (BadSignature, ValueError) as error:
        raise NotFoundError("There is no such request.") from error
    requests = UserCreditPathway.objects.select_related(
        "user", "pathway", "program", "shared_record"
    )
    request = requests.filter(uuid=uuid).first()
    if request is None:
        raise NotFoundError("There is no such request.")
    if _is_over(request, at):
        raise GoneError("This request can no longer be answered.")
    return request


def _is_over(request: UserCreditPathway, at: datetime) -> bool:
    return (
        request.status == CreditRequestStatus.WITHDRAWN
        or request.user.is_retired
        or request.requested_at + ANSWERABLE_FOR <= at
    )


def _signer() -> Signer:
    return Signer(salt="programs.answer_credit_request")
