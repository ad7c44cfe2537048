"""Staff at their desk: who they are, what they open, what they send."""

from itertools import count
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from credentials_portal.accounts.models import User
from letters import services
from letters.enums import RunKind
from letters.models import LetterValidationRun, ProgramLetter
from tests.letters.factories import by_at, graduates, one_course_program
from tests.programs.factories import AT

numbers = count()


def staff(*permissions: str, **fields: Any) -> Client:
    """Somebody who may look at everything of this app, and has these permissions as well."""
    person = User.objects.create(username=f"staff{next(numbers)}", is_staff=True, **fields)
    looking = Permission.objects.filter(
        content_type__app_label="letters", codename__startswith="view_"
    )
    named = Permission.objects.filter(codename__in=permissions)
    assert len(named) == len(permissions)
    person.user_permissions.set(looking | named)
    return signed_in(person)


def signed_in(person: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    return client


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:letters_{name}", args=args)


def page_of(letter: ProgramLetter) -> str:
    return url("programletter_change", letter.pk)


def ask(decision: str, *letters: ProgramLetter) -> str:
    query = "&".join(f"letter={letter.pk}" for letter in letters)
    return f"{url(f'programletter_{decision}')}?{query}"


def seen(*letters: ProgramLetter) -> list[str]:
    return [f"{letter.pk}.{letter.version}" for letter in letters]


def post(client: Client, address: str, **fields: Any) -> str:
    """What the reader sees in the end."""
    response = client.post(address, fields, follow=True)
    assert response.status_code == 200
    return text(response)


def text(response: Any) -> str:
    return str(response.content.decode())


def uuids(response: Any) -> list[str]:
    return [str(letter) for letter in response.context["cl"].result_list]


def held_run() -> LetterValidationRun:
    """The first letters of a program, which wait for staff."""
    program, run = one_course_program()
    held_by = services.new_run(RunKind.ISSUE, by=by_at(AT))
    users = [user.pk for user in graduates(run, 2)]
    services.issue_letters(program_id=program.pk, user_ids=users, run=held_by, by=by_at(AT))
    return held_by
