"""Links to records, whose uuids stay, and what learners asked of institutions."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Max

from credentials_portal.core.history import bulk_create_with_history
from programs.enums import CreditRequestSource, CreditRequestStatus, PathwayType, ShareKind
from programs.models import Pathway, SharedProgramRecord, UserCreditPathway
from programs.services.copying import PATHWAYS
from programs.services.credentials_service.cells import (
    Cells,
    Claims,
    Page,
    Result,
    Row,
    Work,
    uuids_of,
)
from programs.services.credentials_service.configurations import (
    PROGRAM_UNKNOWN,
    programs_by_uuid,
)
from programs.services.credentials_service.people import Learner, People
from programs.services.nodes import RecordError

PROGRAM_CERT_RECORDS, USER_CREDIT_PATHWAYS = "program_cert_records", "user_credit_pathways"
OWN_LINKS = "own_links"

LINK_HERE = "the learner has another link to the record"
PATHWAY_UNKNOWN = "there is no such pathway"
NO_CREDIT = "the pathway is none to credit"
STATUSES = {"sent": CreditRequestStatus.SENT, "": CreditRequestStatus.OTHER}


class _Link(NamedTuple):
    learner: Learner
    link: SharedProgramRecord


class _Request(NamedTuple):
    learner: Learner
    request: UserCreditPathway


class Requests:
    """Links and requests; what is here already stays as it is, a dead link too."""

    def __init__(self, work: Work, people: People) -> None:
        self.work = work
        self.people = people

    def bring_links(self, rows: Sequence[Row]) -> list[Result]:
        """Import learners' own links: they open as they did, but show no address any more."""
        people = self.people.of(rows, is_locked=True)
        programs = programs_by_uuid(self.work, rows)
        uuids = uuids_of(rows, "uuid")
        stored = SharedProgramRecord.objects.filter(uuid__in=uuids)
        links = Claims(
            self.work, PROGRAM_CERT_RECORDS, set(map(str, stored.values_list("uuid", flat=True)))
        )
        live = SharedProgramRecord.objects.filter(
            kind=ShareKind.LINK, revoked_at=None, user__in=people.pks
        ).values_list("user_id", "program__uuid")
        owners = Claims(self.work, OWN_LINKS, {f"{user}:{program}" for user, program in live})

        def draft(cells: Cells) -> tuple[_Link | None, str]:
            uuid, program, learner = (
                cells.uuid("uuid"),
                cells.uuid("program"),
                people.learner(cells),
            )
            if program not in programs:
                raise RecordError(PROGRAM_UNKNOWN)
            created = cells.past("created", at=self.work.by.at)
            modified = cells.optional_past("modified", at=self.work.by.at) or created
            if not links.take(uuid):
                return None, ""
            if not owners.take(learner.key, program):
                raise RecordError(LINK_HERE)
            link = SharedProgramRecord(
                uuid=uuid, program_id=programs[program], created=created, modified=modified
            )
            return _Link(learner, link), ""

        def write(made: list[_Link]) -> None:
            pks = people.made(one.learner for one in made)
            for learner, link in made:
                link.user_id = pks[learner.key]
            links_ = sorted((one.link for one in made), key=lambda link: (link.user_id, link.uuid))
            bulk_create_with_history(SharedProgramRecord, links_, by=self.work.by)

        page = Page(rows)
        return page.write(page.drafted(draft), write, self.work)

    def bring_requests(self, rows: Sequence[Row]) -> list[Result]:
        """Import requests, also those that do not say of which program they were."""
        page = Page(rows)
        drafts = _Drafts(self.work, self.people, rows)
        return page.write(page.drafted(drafts.draft), drafts.write, self.work)


class _Drafts:
    """Drafts of a page, with all that is here of what its rows name."""

    def __init__(self, work: Work, people: People, rows: Sequence[Row]) -> None:
        self.work = work
        self.people = people.of(rows, is_locked=True)
        self.programs = programs_by_uuid(work, rows)
        uuids = uuids_of(rows, "pathway")
        stored = Pathway.objects.filter(uuid__in=uuids).values_list("uuid", "pk", "pathway_type")
        self.pathways = {UUID(uuid): (0, "") for uuid in work.noted(PATHWAYS, uuids)}
        self.pathways |= {uuid: (pk, kind) for uuid, pk, kind in stored}
        requests = UserCreditPathway.objects.filter(user__in=self.people.pks)
        imported = requests.filter(source=CreditRequestSource.IMPORT).values_list(
            "user_id", "pathway__uuid", "program__uuid", "requested_at"
        )
        self.claims = Claims(work, USER_CREDIT_PATHWAYS, {_key(*row) for row in imported})
        newest = requests.order_by().values_list("user_id", "pathway_id", "program_id")
        self.numbers = Counter(
            {tuple(key): number for *key, number in newest.annotate(newest=Max("number"))}
        )

    def draft(self, cells: Cells) -> tuple[_Request | None, str]:
        learner, pathway = self.people.learner(cells), cells.uuid("pathway")
        program = cells.optional_uuid("program")
        if pathway not in self.pathways:
            raise RecordError(PATHWAY_UNKNOWN)
        pathway_id, kind = self.pathways[pathway]
        if kind == PathwayType.INDUSTRY:
            raise RecordError(NO_CREDIT)
        if program is not None and program not in self.programs:
            raise RecordError(PROGRAM_UNKNOWN)
        status = STATUSES.get(cells.optional_text("status"))
        if status is None:
            raise RecordError("status is unknown")
        created = cells.past("created", at=self.work.by.at)
        modified = cells.optional_past("modified", at=self.work.by.at) or created
        if not self.claims.take(_key(learner.key, pathway, program, created)):
            return None, ""
        request = UserCreditPathway(
            pathway_id=pathway_id,
            program_id=None if program is None else self.programs[program],
            status=status,
            source=CreditRequestSource.IMPORT,
            requested_at=created,
            sent_at=modified if status == CreditRequestStatus.SENT else None,
            created=created,
            modified=modified,
        )
        return _Request(learner, request), ""

    def write(self, made: Sequence[_Request]) -> None:
        pks = self.people.made(one.learner for one in made)
        numbers = self.numbers.copy()
        requests = [one.request for one in made]
        for learner, request in made:
            request.user_id = pks[learner.key]
        for request in sorted(requests, key=lambda one: one.requested_at):
            key = (request.user_id, request.pathway_id, request.program_id)
            numbers[key] += 1
            request.number = numbers[key]
        requests.sort(
            key=lambda one: (one.user_id, one.pathway_id, one.program_id or 0, one.number)
        )
        bulk_create_with_history(UserCreditPathway, requests, by=self.work.by)
        self.numbers = numbers


def _key(learner: object, pathway: UUID, program: UUID | None, at: datetime) -> str:
    """What makes a request of the old service itself."""
    return f"{learner}:{pathway}:{program}:{at.timestamp()}"
