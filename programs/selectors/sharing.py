"""Links to program records: the one that a stranger opened, and a learner's own list."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Max, OuterRef, QuerySet, Subquery, Sum
from django.urls import reverse

from credentials_portal.accounts.models import User
from programs.enums import ShareKind
from programs.models import Pathway, SharedProgramRecord, UserCreditPathway


@dataclass(frozen=True)
class OpenedLink:
    """A link with how often others opened it, in all; a dead one too.

    `request` is the credit request for which it was made.
    """

    link: SharedProgramRecord
    views: int
    last_viewed_at: datetime | None
    request: UserCreditPathway | None

    @property
    def pathway(self) -> Pathway | None:
        return self.request.pathway if self.request else None


def shared_record(uuid: UUID) -> SharedProgramRecord | None:
    """The link, dead or alive, with its learner and program: one statement."""
    links = SharedProgramRecord.objects.select_related("user", "program")
    return links.filter(uuid=uuid).first()


def with_own_link(learners: QuerySet[User], *, program_uuid: UUID, at: datetime) -> QuerySet[User]:
    """These learners with the column `own_link_uuid`: of their own live link to this record."""
    own = SharedProgramRecord.objects.live(at).filter(
        user=OuterRef("pk"), program__uuid=program_uuid, kind=ShareKind.LINK
    )
    return learners.annotate(own_link_uuid=Subquery(own.values("uuid")))


def links_of_learner(*, user_id: int, program_id: int | None = None) -> list[OpenedLink]:
    """A learner's links to all records, or to one, newest first: one statement."""
    links = SharedProgramRecord.objects.filter(user_id=user_id)
    if program_id is not None:
        links = links.filter(program_id=program_id)
    counted = (
        links.select_related("program", "credit_request__pathway")
        .annotate(
            views=Sum("view_counts__views", default=0),
            last_viewed_at=Max("view_counts__last_viewed_at"),
        )
        .order_by("-created", "-pk")
    )
    return [
        OpenedLink(
            link=link,
            views=link.views,  # type: ignore[attr-defined]  # annotated
            last_viewed_at=link.last_viewed_at,  # type: ignore[attr-defined]  # annotated
            request=link.credit_request if link.kind == ShareKind.CREDIT_REQUEST else None,
        )
        for link in counted
    ]


def record_link(shared: SharedProgramRecord) -> str:
    """Where the record is shown, in the form that links of the older service have."""
    return _absolute("shared_program_record", shared)


def record_csv_link(shared: SharedProgramRecord) -> str:
    return _absolute("shared_program_record_csv", shared)


def _absolute(name: str, shared: SharedProgramRecord) -> str:
    return f"{settings.PORTAL_BASE_URL}{reverse(name, args=[shared.uuid.hex])}"
