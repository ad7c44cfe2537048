import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credentials_portal.accounts.models import User
from credentials_portal.accounts.roles import ROLES, create_groups, may

LAST = [config for config in apps.get_app_configs() if config.models_module][-1]


def held(role: str) -> set[str]:
    return {
        f"{app}.{codename}"
        for app, codename in Permission.objects.filter(group__name=role).values_list(
            "content_type__app_label", "codename"
        )
    }


def test_migrate_makes_the_groups(db: None) -> None:
    assert set(Group.objects.values_list("name", flat=True)) == {
        *("Auditors", "Operators", "Refunds", "Registrars", "Subscriptions", "Support"),
    }
    assert all(held(role) for role in ROLES)


def test_a_member_may_what_the_table_says(db: None) -> None:
    registrar = User.objects.create(username="rita")
    registrar.groups.add(Group.objects.get(name="Registrars"))

    assert registrar.has_perm("letters.revoke_letter")
    assert registrar.has_perm("programs.change_program")
    assert not registrar.has_perm("core.view_outboxmessage")


@pytest.mark.parametrize(
    ("permission", "roles"),
    [
        ("programs.delete_coursegrade", {"Registrars"}),
        ("letters.revoke_letter", {"Registrars"}),
        ("letters.reinstate_letter", {"Registrars"}),
        ("letters.waive_letter_check", {"Registrars"}),
        ("letters.publish_letter_template", {"Registrars"}),
        ("letters.refresh_letter", {"Registrars"}),
        ("letters.release_letters", {"Registrars", "Operators"}),
        ("letters.apply_letter_plan", {"Registrars", "Operators"}),
        ("letters.view_programletter", {"Registrars", "Support", "Operators", "Auditors"}),
        (
            "programs.view_historicalprogram",
            {"Registrars", "Support", "Refunds", "Operators", "Auditors"},
        ),
        ("licenses.view_license", {"Subscriptions", "Support", "Operators", "Auditors"}),
        ("licenses.assign_license", {"Subscriptions"}),
        ("licenses.revoke_license", {"Subscriptions"}),
        ("licenses.manage_any_customer", {"Subscriptions"}),
        ("licenses.change_subscriptionplan", {"Subscriptions"}),
        ("licenses.process_expiry", {"Subscriptions", "Operators"}),
        (
            "entitlements.view_courseentitlement",
            {"Registrars", "Support", "Refunds", "Operators", "Auditors"},
        ),
        ("entitlements.support_entitlements", {"Support"}),
        ("entitlements.settle_refunds", {"Refunds"}),
        ("entitlements.change_courseentitlementpolicy", {"Registrars"}),
        (
            "subsidy_requests.view_licenserequest",
            {"Subscriptions", "Support", "Operators", "Auditors"},
        ),
        ("subsidy_requests.review_subsidy_requests", {"Subscriptions"}),
        ("subsidy_requests.change_subsidyrequestcustomerconfiguration", {"Subscriptions"}),
        ("subsidy_requests.add_couponcode", {"Subscriptions"}),
        ("subsidy_requests.change_licenserequest", set()),
        ("core.settle_outboxmessage", {"Operators"}),
        ("core.view_jobrun", {"Operators", "Auditors"}),
        ("accounts.retire_user", {"Operators"}),
        (
            "accounts.view_user",
            {"Registrars", "Subscriptions", "Support", "Refunds", "Operators", "Auditors"},
        ),
    ],
)
def test_who_may_what(db: None, permission: str, roles: set[str]) -> None:
    assert {role for role in ROLES if permission in held(role)} == roles


@pytest.mark.parametrize(
    "permission",
    [
        "accounts.change_user",
        "auth.change_group",
        "programs.change_historicalprogram",
        "programs.delete_program",
        "letters.delete_programletter",
        "licenses.delete_license",
        "entitlements.change_courseentitlement",
        "entitlements.delete_courseentitlementpolicy",
        "licenses.change_historicallicense",
        "oauth2_provider.view_accesstoken",
        "sessions.view_session",
    ],
)
def test_what_no_role_may(permission: str) -> None:
    assert not any(may(role, permission) for role in ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_every_pattern_gives_something(db: None, role: str) -> None:
    """A misspelled permission would give nothing, in silence."""
    for pattern in ROLES[role]:
        app, _dot, codename = pattern.partition(".")
        named = Permission.objects.filter(codename__startswith=codename.rstrip("*"))
        if app != "*":
            named = named.filter(content_type__app_label=app)
        assert named.exists(), pattern


def test_brings_changed_groups_back_in_line(db: None) -> None:
    support, own = Group.objects.get(name="Support"), Group.objects.create(name="Our own")
    before = held("Support")
    extra = Permission.objects.get(codename="change_user")
    support.permissions.set([extra])
    own.permissions.set([extra])

    create_groups(app_config=LAST)

    assert held("Support") == before
    assert held("Our own") == {"accounts.change_user"}


def test_makes_a_deleted_group_again(db: None) -> None:
    before = held("Support")
    Group.objects.filter(name="Support").delete()

    create_groups(app_config=LAST)

    assert held("Support") == before


def test_waits_for_the_last_app(db: None) -> None:
    Group.objects.all().delete()

    create_groups(app_config=apps.get_app_config("core"))

    assert not Group.objects.exists()


def test_is_a_handful_of_statements(db: None) -> None:
    with CaptureQueriesContext(connection) as captured:
        create_groups(app_config=LAST)

    assert len(captured) <= 8


def test_a_second_migrate_changes_nothing(db: None) -> None:
    before = {role: held(role) for role in ROLES}

    call_command("migrate", verbosity=0)

    assert {role: held(role) for role in ROLES} == before
