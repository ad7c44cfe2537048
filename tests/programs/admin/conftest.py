"""Somebody at the desk, and a learner who asked an institution for credit."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from programs.enums import CreditRequestSource
from programs.models import Pathway, Program, UserCreditPathway
from programs.services.credit import request_credit
from tests.programs.admin.desk import member_of
from tests.programs.factories import (
    LearnerFactory,
    ProgramFactory,
    pathway_of,
)

DAY = timedelta(days=1)


@pytest.fixture
def registrar() -> Client:
    return member_of("Registrars")


@pytest.fixture
def ada() -> User:
    ada: User = LearnerFactory.create(username="ada", email="ada@x.org", full_name="Ada Lovelace")
    return ada


@pytest.fixture
def program() -> Program:
    program: Program = ProgramFactory.create(title="Data Science")
    return program


@pytest.fixture
def pathway(program: Program) -> Pathway:
    return pathway_of(
        program, name="Masters", org_name="Harbour University", email="desk@harbour.example"
    )


@pytest.fixture
def asked(ada: User, program: Program, pathway: Pathway) -> UserCreditPathway:
    """A request that the learner made just now; it waits to be sent."""
    return request_credit(
        user=ada,
        program=program,
        pathway_id=pathway.pk,
        source=CreditRequestSource.WEB,
        by=Attribution(at=timezone.now() - DAY, actor=ada),
    ).request
