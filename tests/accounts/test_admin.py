import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
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


def holder(*permissions: str) -> User:
    """Olga, of the staff, with these permissions and no others."""
    olga: User = User.objects.create_user("olga", is_staff=True)
    olga.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return olga


def retire(client: Client, *users: User, **more: str) -> str:
    chosen = {"action": "retire", "_selected_action": [str(user.pk) for user in users]}
    response = client.post(USERS, chosen | more, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def names() -> set[str]:
    return set(User.objects.values_list("username", flat=True))


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


def test_asks_before_it_retires_anybody(db: None) -> None:
    lena = User.objects.create_user("lena", "lena@example.org", full_name="Lena Lovelace")
    client = signed_in(holder("view_user", "retire_user"))

    pages = [retire(client, lena), retire(client, lena, confirmed="yes", reason=" ")]

    for page in pages:
        assert "Nobody can undo this." in page
        assert "lena: Lena Lovelace (lena@example.org)" in page
    assert names() == {"olga", "lena"}


def test_retires_the_chosen_persons(db: None) -> None:
    lena, bert, _stays = (User.objects.create_user(name) for name in ("lena", "bert", "carl"))
    olga = holder("view_user", "retire_user")

    page = retire(signed_in(olga), lena, bert, confirmed="yes", reason="Asked to leave.")

    assert "Retired: 2" in page
    assert names() == {"olga", "carl", f"retired__user_{lena.pk}", f"retired__user_{bert.pk}"}
    assert set(LogEntry.objects.values_list("user", "object_id", "change_message")) == {
        (olga.pk, str(user.pk), "Asked to leave.") for user in (lena, bert)
    }


@pytest.mark.parametrize("permission", ["view_user", "change_user"])
def test_who_may_not_retire_does_not(db: None, permission: str) -> None:
    lena = User.objects.create_user("lena")
    client = signed_in(holder("view_user", permission))

    page = retire(client, lena, confirmed="yes", reason="x")

    assert "Nobody can undo this." not in page
    assert names() == {"olga", "lena"}


@pytest.mark.parametrize("protected", ["olga", "root"])
def test_retires_neither_administrators_nor_the_actor(db: None, protected: str) -> None:
    lena = User.objects.create_user("lena")
    User.objects.create_superuser("root")
    client = signed_in(holder("view_user", "retire_user"))

    page = retire(
        client, lena, User.objects.get(username=protected), confirmed="yes", reason="Mistaken."
    )

    assert "Neither an administrator nor you yourself" in page
    assert names() == {"olga", "lena", "root"}


def test_staff_give_nobody_more_power(db: None) -> None:
    olga = holder("view_user", "change_user")
    client = signed_in(olga)

    for user in (olga, User.objects.create_user("lena")):
        fields = {"username": user.username, "full_name": "New Name", "is_active": "on"}
        powers = {"is_superuser": "on", "is_staff": "on", "groups": "1", "user_permissions": "1"}
        client.post(reverse("admin:accounts_user_change", args=[user.pk]), fields | powers)

    assert set(User.objects.values_list("username", "full_name", "is_staff", "is_superuser")) == {
        ("olga", "New Name", True, False),
        ("lena", "New Name", False, False),
    }
    assert olga.user_permissions.count() == 2
    assert not Group.objects.filter(user__isnull=False).exists()


def test_only_administrators_change_administrators(db: None, root: Client) -> None:
    admin = User.objects.create_superuser("admin")
    password = reverse("admin:auth_user_password_change", args=[admin.pk])
    chosen = {"password1": "a-Long-0ne-that-fits", "password2": "a-Long-0ne-that-fits"}

    assert signed_in(holder("view_user", "change_user")).post(password, chosen).status_code == 403
    assert root.get(password).status_code == 200
    admin.refresh_from_db()
    assert not admin.has_usable_password()
