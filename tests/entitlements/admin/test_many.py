"""Giving and extending many at once: checked first, row by row, and done once."""

import re
from datetime import timedelta

import pytest
from django.contrib.sites.models import Site
from django.test import Client

from credentials_portal.core.models import OutboxMessage
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from tests.entitlements.admin.desk import member_of, read, url, words
from tests.entitlements.factories import DAY, PolicyFactory
from tests.entitlements.pages.now import bought, course, learner

pytestmark = pytest.mark.django_db

WHY = "Moved from the old program."


@pytest.fixture
def desk() -> Client:
    return member_of("Support", username="susi")


def post(desk: Client, deed: str, *lines: str, **fields: str) -> tuple[str, dict[str, str]]:
    """What the page says, and what its form would send next."""
    given = {"deed": deed, "table": "\n".join(lines), "comments": WHY, **fields}
    response = desk.post(url("courseentitlement_many"), given, follow=True)
    assert response.status_code == 200
    html = response.content.decode()
    hidden = re.findall(r'name="(checked|token)" value="(\w*)"', html)
    return words(response), {**given, **dict(hidden)}


def again(desk: Client, fields: dict[str, str]) -> str:
    response = desk.post(url("courseentitlement_many"), fields, follow=True)
    return words(response)


def test_checks_each_row_and_changes_nothing(desk: Client) -> None:
    statistics = course("Statistics")
    ada = learner(username="ada")
    bought(ada, statistics, order_number="EDX-7")

    page, _fields = post(
        desk,
        "give",
        "learner,course,mode,order_number",
        f"ada,{statistics.key},verified,",
        f"nobody,{statistics.key},verified,",
        f"ada,{statistics.key},gold,",
        f"ada,{statistics.key},verified,EDX-7",
    )

    assert "Nothing was changed yet: 1 row can be done, 3 are refused" in page
    assert "Learner: There is nobody with this username or e-mail address." in page
    assert "Mode: Select a valid choice. gold is not one of the available choices." in page
    assert "This order paid for this course already" in page
    assert CourseEntitlement.objects.count() == 1
    assert not CourseEntitlementSupportDetail.objects.exists()
    assert not OutboxMessage.objects.exists()


def test_gives_what_was_checked_and_leaves_out_what_is_refused(desk: Client) -> None:
    statistics = course("Statistics")
    learner(username="ada")

    _page, fields = post(
        desk,
        "give",
        "learner\tcourse\tmode",
        f"ada\t{statistics.uuid}\tverified",
        f"nobody\t{statistics.uuid}\tverified",
    )
    page = again(desk, fields)

    assert "1 row was done, 1 was refused" in page
    entitlement = CourseEntitlement.objects.get()
    assert (entitlement.user.username, entitlement.course_uuid) == ("ada", statistics.uuid)
    assert entitlement.support_details.get().comments == WHY


def test_gives_under_the_policy_of_the_site_that_is_asked(desk: Client) -> None:
    policy = PolicyFactory.create(site=Site.objects.create(domain="localhost", name="The desk"))
    learner(username="ada")

    _page, fields = post(desk, "give", "learner,course,mode", f"ada,{course().uuid},verified")
    again(desk, fields)

    assert CourseEntitlement.objects.get().policy == policy


def test_extends_each_by_its_days(desk: Client) -> None:
    first, second = bought(learner(), course()), bought(learner(), course())

    _page, fields = post(
        desk, "extend", "entitlement,days", f"{first.uuid},10", "", f"{second.uuid},20"
    )
    page = again(desk, fields)

    assert "2 rows were done." in page
    for entitlement, days in ((first, 10), (second, 20)):
        end = entitlement.created + timedelta(days=730)
        entitlement.refresh_from_db()
        assert entitlement.extended_until == end + days * DAY


def test_the_same_table_is_done_once(desk: Client) -> None:
    entitlement = bought(learner(), course())
    _page, fields = post(desk, "extend", "entitlement,days", f"{entitlement.uuid},10")

    again(desk, fields)
    page = again(desk, fields)

    assert "This was done already." in page
    assert entitlement.support_details.count() == 1


def test_a_table_that_was_changed_is_checked_again(desk: Client) -> None:
    entitlement = bought(learner(), course())
    _page, fields = post(desk, "extend", "entitlement,days", f"{entitlement.uuid},10")

    page = again(desk, {**fields, "table": fields["table"].replace(",10", ",100")})

    assert "Nothing was changed yet: 1 row can be done" in page
    assert not entitlement.support_details.exists()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["entitlement,hours", "a,1"], "There is no such column: hours"),
        (["entitlement,days"], "Between 1 and 500 rows, please."),
        (["entitlement,days", *["a,1"] * 501], "Between 1 and 500 rows, please."),
        (["entitlement,days", "a,1,2"], "Line 2 has too many cells."),
        (["", ""], "This field is required."),
    ],
)
def test_says_what_is_wrong_with_a_table(desk: Client, lines: list[str], told: str) -> None:
    page, _fields = post(desk, "extend", *lines)

    assert told in page


def test_asks_for_a_comment(desk: Client) -> None:
    entitlement = bought(learner(), course())

    page, _fields = post(desk, "extend", "entitlement,days", f"{entitlement.uuid},10", comments=" ")

    assert "Nothing was changed. Please look at this again:" in page


@pytest.mark.parametrize("role", ["Refunds", "Registrars", "Operators", "Auditors"])
def test_only_support_may(role: str) -> None:
    browser = member_of(role)

    assert browser.get(url("courseentitlement_many")).status_code == 403
    assert "Give or extend many" not in read(browser, url("courseentitlement_changelist"))
