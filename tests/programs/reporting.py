"""Credit requests to report, any at all; and an independent count of them: loops over plain rows."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from django.db import transaction
from hypothesis import strategies as st

from credentials_portal.accounts.models import User
from programs.enums import CreditAnswer, CreditRequestStatus
from programs.models import Pathway, Program, ProgramCertificate, UserCreditPathway
from programs.selectors.reports import UNKNOWN_PROGRAM, GroupBy
from tests.programs.factories import (
    CreditRequestFactory,
    LearnerFactory,
    PathwayFactory,
    ProgramCertificateFactory,
    ProgramFactory,
)

MAY = datetime(2025, 5, 1, tzinfo=UTC)
JUNE = datetime(2025, 6, 1, tzinfo=UTC)
JULY = datetime(2025, 7, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)

NOTHING: dict[str, Any] = {
    "program_uuid": None,
    "program": "",
    "pathway_uuid": None,
    "pathway": "",
    "institution": "",
    "month": "",
}


@dataclass(frozen=True)
class Counted:
    lines: list[dict[str, Any]]
    total: dict[str, Any]


def counted(
    requests: Iterable[UserCreditPathway], group_by: Iterable[GroupBy] = tuple(GroupBy)
) -> Counted:
    """What a report of these requests should say, line by line."""
    groups = set(group_by)
    certificates = {
        (certificate.user_id, certificate.program_id): certificate.awarded_at
        for certificate in ProgramCertificate.objects.all()
        if certificate.status == "awarded"
    }
    lines: dict[Any, list[UserCreditPathway]] = defaultdict(list)
    everything = list(requests)
    for request in everything:
        lines[_key(request, groups)].append(request)
    ordered = sorted(lines, key=lambda key: [(part is None, part) for part in key])
    return Counted(
        [{**_names(lines[key][0], groups), **_counts(lines[key], certificates)} for key in ordered],
        {**NOTHING, **_counts(everything, certificates)},
    )


def _key(request: UserCreditPathway, groups: set[GroupBy]) -> tuple[Any, ...]:
    program: Program | None = request.program
    key: list[Any] = []
    if GroupBy.PROGRAM in groups:
        key += [program and program.title, program and program.pk]
    if GroupBy.PATHWAY in groups:
        key += [request.pathway.name, request.pathway.pk]
    if GroupBy.MONTH in groups:
        key.append(_month(request))
    return tuple(key)


def _month(request: UserCreditPathway) -> str:
    return request.requested_at.astimezone(UTC).strftime("%Y-%m")


def _names(request: UserCreditPathway, groups: set[GroupBy]) -> dict[str, Any]:
    names = dict(NOTHING)
    if GroupBy.PROGRAM in groups:
        names["program_uuid"] = request.program and request.program.uuid
        names["program"] = request.program.title if request.program else UNKNOWN_PROGRAM
    if GroupBy.PATHWAY in groups:
        pathway: Pathway = request.pathway
        names["pathway_uuid"], names["pathway"] = pathway.uuid, pathway.name
        names["institution"] = pathway.org_name
    if GroupBy.MONTH in groups:
        names["month"] = _month(request)
    return names


def _counts(requests: list[UserCreditPathway], certificates: dict[Any, datetime]) -> dict[str, Any]:
    def number(**fields: Any) -> int:
        return sum(
            all(getattr(request, name) == value for name, value in fields.items())
            for request in requests
        )

    known = number(was_completed=True) + number(was_completed=False)
    days = []
    for request in requests:
        awarded_at = certificates.get((request.user_id, request.program_id))
        is_late = awarded_at is not None and awarded_at >= request.requested_at
        if awarded_at and is_late and request.was_completed is False:
            days.append((awarded_at - request.requested_at) / DAY)
    return {
        "requests": len(requests),
        "learners": len({request.user_id for request in requests}),
        "first": number(number=1),
        "repeated": len(requests) - number(number=1),
        "completed_percent": round(100 * number(was_completed=True) / known, 1) if known else None,
        "failed": number(status="failed"),
        "withdrawn": number(status="withdrawn"),
        "received": number(answer="received"),
        "granted": number(answer="granted"),
        "refused": number(answer="refused"),
        "median_days": round(median(days), 1) if days else None,
    }


# Any requests and certificates: by learner, program, pathway, instant, status, answer and record.
moments = st.sampled_from(
    [MAY, JUNE - INSTANT, JUNE, JUNE + 5 * DAY, JULY - INSTANT, JULY, JULY + 40 * DAY]
)
answers = st.sampled_from(["", *CreditAnswer.values])
statuses = st.sampled_from(CreditRequestStatus.values)
request = st.tuples(
    st.integers(0, 3),
    st.one_of(st.none(), st.integers(0, 1)),
    st.integers(0, 1),
    moments,
    statuses,
    answers,
    st.booleans(),
)
requests = st.lists(request, max_size=12)
certificates = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(0, 1)),
    st.tuples(
        st.sampled_from([JUNE - DAY, JUNE, JUNE + 7 * DAY, JULY + DAY / 4, JULY + 90 * DAY]),
        st.booleans(),
    ),
)


@contextmanager
def stored(rows: list[Any], held: dict[Any, Any]) -> Iterator[None]:
    """These requests and certificates, until the block ends."""
    with transaction.atomic():
        learners: list[User] = LearnerFactory.create_batch(4)
        programs = [ProgramFactory.create(title=title) for title in ("=SUM(A1)", "Zoology")]
        pathways = [PathwayFactory.create(name=name) for name in ("@Alpha", "Beta")]
        numbers: dict[Any, int] = {}
        for who, which, where, at, status, answer, was_completed in rows:
            key = (who, which, where)
            numbers[key] = numbers.get(key, 0) + 1
            fields: dict[str, Any] = {
                "user": learners[who],
                "pathway": pathways[where],
                "requested_at": at,
                "answered_at": at if answer else None,
                "answer": answer,
                "withdrawn_at": at,
            }
            if which is None:
                CreditRequestFactory.create(legacy=True, **{**fields, "status": status})
            else:
                fields |= {"number": numbers[key], "was_completed": was_completed}
                CreditRequestFactory.create(program=programs[which], status=status, **fields)
        for (who, which), (at, is_revoked) in held.items():
            ProgramCertificateFactory.create(
                user=learners[who], program=programs[which], awarded_at=at, revoked=is_revoked
            )
        yield
        transaction.set_rollback(True)
