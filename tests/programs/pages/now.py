"""A learner with a record, and who looks at its pages."""

import re
from html import unescape
from typing import Any

from django.test import Client

from credentials_portal.accounts.models import User
from programs.models import CourseRun, Program
from tests.programs.factories import (
    CourseCertificateFactory,
    CourseFactory,
    CourseRunFactory,
    GradeFactory,
    LearnerFactory,
    ProgramEnrollmentFactory,
    program_requiring,
)


def learner(**fields: Any) -> User:
    person: User = LearnerFactory.create(**fields)
    return person


def run_of(title: str, **fields: Any) -> CourseRun:
    run: CourseRun = CourseRunFactory.create(course=CourseFactory.create(title=title), **fields)
    return run


def earn(person: User, run: CourseRun, percent: str = "0.8", **grade: Any) -> None:
    """A certificate and the grade for it."""
    CourseCertificateFactory.create(user=person, course_run=run)
    GradeFactory.create(user=person, course_run=run, percent_grade=percent, **grade)


def program_of(person: User, *runs: CourseRun, **fields: Any) -> Program:
    """A program that asks for the courses of these runs, in which the learner is enrolled."""
    program = program_requiring(core=[run.course for run in runs], **fields)
    ProgramEnrollmentFactory.create(user=person, program=program)
    return program


def signed_in(person: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    return client


def stranger() -> Client:
    return Client(headers={"host": "localhost"})


def words(response: Any) -> str:
    """What the page says, with one blank between words."""
    html = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", html).split()))
