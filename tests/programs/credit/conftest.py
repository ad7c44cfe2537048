import pytest

from credentials_portal.accounts.models import User
from programs.models import Pathway, Program
from tests.letters.conftest import mail_port, mail_server, statements  # noqa: F401 - fixtures
from tests.programs.factories import LearnerFactory, ProgramFactory, pathway_of


@pytest.fixture
def ann() -> User:
    ann: User = LearnerFactory.create(username="ann", email="ann@x.org", full_name="Ann Ash")
    return ann


@pytest.fixture
def program() -> Program:
    program: Program = ProgramFactory.create(title="Data Science")
    return program


@pytest.fixture
def pathway(program: Program) -> Pathway:
    return pathway_of(
        program, name="MSc Data", org_name="Northern University", email="registrar@north.example"
    )
