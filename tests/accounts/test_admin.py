import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oauth2_provider.models import Application

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.models import JobRun

USERS = reverse("admin:accounts_user_changelist")


@pytest.fixture
def root(db: None) -> Client:
    return signed_in(User.objects.create_superuser("root"))


def signed_in(user: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


def listed(client: Client, query: str) -> list[str]:
    response = client.get(f"{USERS}?{query}")
    return sorted(user.username for user in response.context["cl"].result_list)


def test_finds_people_services_and_the_retired(root: Client) -> None:
    for name in ("lena", "gone", "lms"):
        User.objects.create(username=name)
    gone = User.objects.get(username="gone")
    retire_user(user=gone, at=timezone.now(), actor=None, reason="x")
    Application.objects.create(
        name="LMS",
        user=User.objects.get(username="lms"),
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )

    assert listed(root, "kind=person") == ["lena", "root"]
    assert listed(root, "kind=service") == ["lms"]
    assert listed(root, "kind=retired") == [f"retired__user_{gone.pk}"]
    assert listed(root, "q=lena") == ["lena"]


@pytest.mark.parametrize(
    "name",
    [
        "accounts_user_add",
        "auth_group_add",
        "auth_group_changelist",
        "oauth2_provider_application_add",
        "oauth2_provider_application_changelist",
        "core_jobrun_changelist",
    ],
)
def test_pages_open(root: Client, name: str) -> None:
    assert root.get(reverse(f"admin:{name}")).status_code == 200


def test_nobody_deletes_an_account(root: Client) -> None:
    lena = User.objects.create(username="lena")

    response = root.post(reverse("admin:accounts_user_delete", args=[lena.pk]), {"post": "yes"})

    assert response.status_code == 403
    assert User.objects.filter(pk=lena.pk).exists()


def test_nobody_changes_a_retired_account(root: Client) -> None:
    lena = User.objects.create(username="lena")
    page = reverse("admin:accounts_user_change", args=[lena.pk])
    retire_user(user=lena, at=timezone.now(), actor=None, reason="x")

    response = root.post(page, {"username": "lena", "full_name": "Lena"})

    lena.refresh_from_db()
    assert response.status_code == 403
    assert root.get(page).status_code == 200
    assert (lena.username, lena.full_name) == (f"retired__user_{lena.pk}", "")


def test_nobody_changes_a_role_of_the_portal(root: Client) -> None:
    support = Group.objects.get(name="Support")

    response = root.post(reverse("admin:auth_group_change", args=[support.pk]), {"name": "X"})

    assert response.status_code == 403
    assert Group.objects.filter(name="Support").exists()


def test_an_own_group_can_be_changed(root: Client) -> None:
    own = Group.objects.create(name="Our own")

    root.post(reverse("admin:auth_group_change", args=[own.pk]), {"name": "Ours"})

    own.refresh_from_db()
    assert own.name == "Ours"


def test_job_runs_are_only_looked_at(root: Client) -> None:
    run = JobRun.objects.create(
        name="check_history",
        system_user="cron",
        judged_at=timezone.now(),
        started_at=timezone.now(),
    )

    assert root.get(reverse("admin:core_jobrun_change", args=[run.pk])).status_code == 200
    for verb in ("change", "delete"):
        page = reverse(f"admin:core_jobrun_{verb}", args=[run.pk])
        assert root.post(page, {"post": "yes"}).status_code == 403
    assert root.get(reverse("admin:core_jobrun_add")).status_code == 403
    assert JobRun.objects.get() == run


@pytest.mark.parametrize(("role", "status"), [("Auditors", 200), ("Support", 403), (None, 302)])
def test_who_sees_job_runs(db: None, role: str | None, status: int) -> None:
    user = User.objects.create(username="sam", is_staff=role is not None)
    user.groups.set(Group.objects.filter(name=role))

    response = signed_in(user).get(reverse("admin:core_jobrun_changelist"))

    assert response.status_code == status


def test_a_stranger_is_asked_to_sign_in(db: None) -> None:
    response = Client(headers={"host": "localhost"}).get(USERS)

    assert response.status_code == 302
