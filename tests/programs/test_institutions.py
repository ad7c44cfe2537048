"""Organizations and pathways, stored as somebody tells of them."""

from uuid import uuid4

import pytest

from programs.models import Organization, Pathway, PathwayProgram
from programs.services.institutions import PathwayRecord, record_organization, record_pathways
from tests.programs.factories import BY, CourseRunFactory, ProgramFactory, program_requiring

pytestmark = pytest.mark.django_db


def test_an_organization_authors_programs_and_owns_their_courses() -> None:
    run, elsewhere = CourseRunFactory.create_batch(2)
    program = program_requiring(core=[run.course])
    uuid = uuid4()

    for name in ("Northbridge", "Northbridge Institute"):
        record_organization(uuid=uuid, key="NBx", name=name, program_ids=[program.pk], by=BY)

    organization = Organization.objects.get()
    assert (organization.uuid, organization.name) == (uuid, "Northbridge Institute")
    assert list(program.authoring_organizations.all()) == [organization]
    assert list(organization.owned_courses.all()) == [run.course]
    assert not elsewhere.course.owners.exists()
    assert organization.history.count() == 2


def test_pathways_are_stored_once_with_their_programs_in_order() -> None:
    first, second = ProgramFactory.create_batch(2)
    record = PathwayRecord(
        uuid=uuid4(),
        name="MSc",
        org_name="Northern University",
        email="registrar@north.example",
        program_ids=[second.pk, first.pk],
        cooldown_days=7,
    )

    record_pathways([record], by=BY)
    record_pathways([record], by=BY)

    pathway = Pathway.objects.get()
    assert (pathway.name, pathway.pathway_type, pathway.cooldown_days) == ("MSc", "credit", 7)
    links = PathwayProgram.objects.order_by("position")
    assert [link.program for link in links] == [second, first]
    assert (pathway.history.count(), PathwayProgram.history.count()) == (1, 2)
