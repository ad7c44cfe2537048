"""Who may what: the groups of staff and their permissions, kept in the database by `migrate`."""

from fnmatch import fnmatchcase
from typing import Any

from django.apps.registry import Apps
from django.apps.registry import apps as installed
from django.db.models import F

# Patterns of `app.codename`. These groups hold exactly this; local additions belong to groups of
# other names.
ROLES: dict[str, tuple[str, ...]] = {
    # Own the catalog, the requirements, the letters, and how long entitlements last.
    "Registrars": (
        *("programs.view_*", "programs.add_*", "programs.change_*", "programs.delete_coursegrade"),
        *("programs.delete_pathwayprogram", "programs.request_credit_for_learner"),
        *("letters.view_*", "letters.change_*", "letters.add_programlettertemplate"),
        "letters.add_programletterconfiguration",
        *("letters.add_lettersignatory", "letters.delete_lettersignatory"),
        *("letters.revoke_letter", "letters.reinstate_letter", "letters.release_letters"),
        *("letters.apply_letter_plan", "letters.waive_letter_check"),
        *("letters.publish_letter_template", "letters.refresh_letter", "accounts.view_user"),
        *("entitlements.view_*", "entitlements.add_courseentitlementpolicy"),
        "entitlements.change_courseentitlementpolicy",
    ),
    # Look after customers: terms, seats, renewals, requests, coupons.
    "Subscriptions": (
        *("licenses.view_*", "licenses.add_*", "licenses.change_*"),
        *("licenses.assign_license", "licenses.revoke_license", "licenses.process_expiry"),
        *("licenses.manage_any_customer", "accounts.view_user"),
        *("subsidy_requests.view_*", "subsidy_requests.review_subsidy_requests"),
        "subsidy_requests.add_subsidyrequestcustomerconfiguration",
        "subsidy_requests.change_subsidyrequestcustomerconfiguration",
        *("subsidy_requests.add_coupon", "subsidy_requests.change_coupon"),
        "subsidy_requests.add_couponcode",
    ),
    # Answer learners: see everything, change what they hold of courses and nothing else.
    "Support": (
        *("programs.view_*", "letters.view_*", "licenses.view_*", "accounts.view_user"),
        *("entitlements.view_*", "entitlements.support_entitlements", "subsidy_requests.view_*"),
    ),
    # Pay refunds: find out what is unclear, mark what is paid. Whoever gives entitlements to
    # learners does not pay for them too, unless they are in both groups.
    "Refunds": (
        *("entitlements.view_*", "entitlements.settle_refunds"),
        *("programs.view_*", "accounts.view_user"),
    ),
    # Keep the portal running: jobs, deliveries, and what a breaker or a plan holds back.
    "Operators": (
        *("core.*", "programs.view_*", "letters.view_*", "licenses.view_*", "accounts.view_user"),
        *("entitlements.view_*", "subsidy_requests.view_*"),
        *("letters.release_letters", "letters.apply_letter_plan", "licenses.process_expiry"),
        "accounts.retire_user",
    ),
    # See everything, records of the machinery included.
    "Auditors": ("*.view_*",),
}
# A copy of a live token, or a session, is as good as a password.
SECRETS = ("oauth2_provider.*", "sessions.*")


def may(role: str, permission: str) -> bool:
    """Whether the table gives the role this `app.codename`. History is never edited."""
    _app, _dot, codename = permission.partition(".")
    if "_historical" in codename and not codename.startswith("view_"):
        return False
    return _matches(permission, ROLES[role]) and not _matches(permission, SECRETS)


def _matches(permission: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(permission, pattern) for pattern in patterns)


def create_groups(*, app_config: Any, apps: Apps = installed, **_kwargs: Any) -> None:
    """Bring the groups in line with the table.

    A receiver of `post_migrate`, which is sent for one app after the other: it waits for the last
    one, when all permissions exist.
    """
    *_others, last = (config for config in installed.get_app_configs() if config.models_module)
    if app_config.label != last.label:
        return
    try:
        group, permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:  # migrated back to before there were groups
        return

    group.objects.bulk_create((group(name=name) for name in ROLES), ignore_conflicts=True)
    group_ids = dict(group.objects.filter(name__in=ROLES).values_list("name", "pk"))
    permissions = permission.objects.annotate(app=F("content_type__app_label")).values_list(
        "pk", "app", "codename"
    )
    due = {
        (group_ids[role], pk)
        for pk, app, codename in permissions
        for role in ROLES
        if may(role, f"{app}.{codename}")
    }

    through = group.permissions.through
    held = through.objects.filter(group_id__in=group_ids.values())
    surplus = [
        pk
        for pk, *pair in held.values_list("pk", "group_id", "permission_id")
        if tuple(pair) not in due
    ]
    through.objects.filter(pk__in=surplus).delete()
    through.objects.bulk_create(
        (through(group_id=group_id, permission_id=pk) for group_id, pk in sorted(due)),
        ignore_conflicts=True,
    )
