"""Staff at their desks, and what they read."""

import re
from html import unescape
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from programs.models import UserCreditPathway
from tests.programs.factories import LearnerFactory

ROLES = ("Registrars", "Support", "Refunds", "Operators", "Auditors")


def member_of(role: str) -> Client:
    person: User = LearnerFactory.create(is_staff=True)
    person.groups.set(Group.objects.filter(name=role))
    return signed_in(person)


def staff(*codenames: str) -> Client:
    """Somebody on the staff with exactly these permissions of programs."""
    person: User = LearnerFactory.create(is_staff=True)
    named = Permission.objects.filter(content_type__app_label="programs", codename__in=codenames)
    assert len(named) == len(codenames)
    person.user_permissions.set(named)
    return signed_in(person)


def signed_in(person: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    return client


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:programs_{name}", args=args)


def page(browser: Client, address: str, **query: Any) -> str:
    response = browser.get(address, query)
    assert response.status_code == 200, response.status_code
    return words(response)


def words(response: Any) -> str:
    """What a page says, with one blank between words."""
    html = re.sub(
        r"<(script|style|template)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL
    )
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def links(browser: Client, address: str) -> set[str]:
    return set(re.findall(r'href="([^"]+)"', browser.get(address).content.decode()))


def rows(browser: Client, model: str, **query: Any) -> list[Any]:
    """What a list of the admin holds."""
    response = browser.get(url(f"{model}_changelist"), query)
    assert response.status_code == 200, response.headers.get("Location")
    return list(response.context["cl"].result_list)


def act(browser: Client, page_name: str, *args: Any, **fields: Any) -> Any:
    """What a page about credit requests answers to a form."""
    return browser.post(url(f"usercreditpathway_{page_name}", *args), fields, follow=True)


def message_of(request: UserCreditPathway) -> OutboxMessage:
    """The mail to its institution."""
    return OutboxMessage.objects.get(dedupe_key=f"programs.credit_request:{request.pk}")
