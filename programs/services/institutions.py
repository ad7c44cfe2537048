"""Who offers programs, and who takes their learners' records: organizations and pathways."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from credentials_portal.core.history import (
    Attribution,
    bulk_create_with_history,
    upsert_with_history,
)
from programs.enums import PathwayStatus, PathwayType
from programs.models import (
    Course,
    CourseOwner,
    Organization,
    Pathway,
    PathwayProgram,
    Program,
    ProgramAuthor,
)


@dataclass(frozen=True, kw_only=True)
class PathwayRecord:
    """A credit pathway, and the programs whose records it takes, in their order."""

    uuid: UUID
    name: str
    org_name: str
    email: str
    program_ids: Sequence[int]
    contact_name: str = ""
    status: PathwayStatus = PathwayStatus.PUBLISHED
    requires_completion: bool = False
    cooldown_days: int | None = None
    consent_text: str = ""


@transaction.atomic
def record_organization(
    *, uuid: UUID, key: str, name: str, program_ids: Sequence[int], by: Attribution
) -> None:
    """Store an organization as author of these programs, and as owner of their courses."""
    rows = [{"uuid": uuid, "key": key, "name": name, "certificate_logo_image_url": ""}]
    upsert_with_history(Organization, rows, key=("uuid",), returning=("id",), by=by)
    organization = Organization.objects.get(uuid=uuid)
    ProgramAuthor.objects.bulk_create(
        [
            ProgramAuthor(program=program, organization=organization)
            for program in Program.objects.filter(pk__in=program_ids).order_by("pk")
        ],
        ignore_conflicts=True,
    )
    courses = Course.objects.filter(course_runs__programs__in=program_ids).distinct()
    CourseOwner.objects.bulk_create(
        [
            CourseOwner(course=course, organization=organization)
            for course in courses.order_by("pk")
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def record_pathways(records: Sequence[PathwayRecord], *, by: Attribution) -> None:
    """Store credit pathways, new or changed; programs that they took before stay theirs."""
    rows = [
        {
            **{name: value for name, value in vars(record).items() if name != "program_ids"},
            "pathway_type": PathwayType.CREDIT,
        }
        for record in records
    ]
    upsert_with_history(Pathway, rows, key=("uuid",), returning=("id",), by=by)
    ids = dict(
        Pathway.objects.filter(uuid__in=[one.uuid for one in records]).values_list("uuid", "pk")
    )
    stored = PathwayProgram.objects.filter(pathway__in=ids.values())
    known = set(stored.values_list("pathway_id", "program_id"))
    links = [
        PathwayProgram(pathway_id=ids[record.uuid], program_id=program_id, position=position)
        for record in records
        for position, program_id in enumerate(record.program_ids)
        if (ids[record.uuid], program_id) not in known
    ]
    bulk_create_with_history(PathwayProgram, links, by=by)
