"""What learners asked the demo's customer for: three requests wait, and one was declined."""

from dataclasses import dataclass, replace
from datetime import timedelta

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from credentials_portal.web.demo.learners import DEMO_LEARNER
from licenses.selectors.customers import customers_looked_after_by
from subsidy_requests.enums import DecisionSource, SubsidyType
from subsidy_requests.services.asking import ask_for_license
from subsidy_requests.services.configuring import open_configuration
from subsidy_requests.services.declining import decline_requests

DAY = timedelta(days=1)
ANSWER = "You have a license of ours already: activate it, its plan has this course."


@dataclass(frozen=True)
class Asked:
    """Who asked for which course, how many days ago, and why."""

    username: str
    course_id: str
    days_ago: int
    reason: str


DECLINED = Asked(DEMO_LEARNER, "NBx+ETH", 12, "The course is asked for in our new contracts.")
WAITING = (
    Asked("learner0002", "NBx+NEG", 9, "I lead the talks with two carriers from next month on."),
    Asked("learner0003", "NBx+WRI", 4, "Our reports are read by the board now."),
    Asked("learner0004", "", 1, ""),
)


def ask_customer(administrator: User, *, by: Attribution) -> None:
    """Let the learners of the administrator's customer ask it for licenses, which some did.

    They are told nothing: it happened before the institution moved in.
    """
    [customer] = customers_looked_after_by(administrator)
    begun = replace(by, at=by.at - 14 * DAY)
    open_configuration(
        customer=customer,
        by=begun,
        subsidy_requests_enabled=True,
        subsidy_type=SubsidyType.LICENSE,
    )
    people = User.objects.in_bulk(
        [one.username for one in (DECLINED, *WAITING)], field_name="username"
    )
    declined, *_waiting = [
        ask_for_license(
            user=people[one.username],
            customer=customer,
            course_id=one.course_id,
            reason=one.reason,
            by=replace(by, at=by.at - one.days_ago * DAY, actor=people[one.username]),
        )
        for one in (DECLINED, *WAITING)
    ]
    decline_requests(
        type(declined),
        customer=customer,
        uuids=[declined.uuid],
        reason=ANSWER,
        source=DecisionSource.ADMIN_PAGE,
        notify=False,
        by=replace(by, at=by.at - 2 * DAY, actor=administrator),
    )
