"""A customer of the demo institution, which buys seats for its people.

One plan ended long enough ago for its learners to be unlinked, and nobody has processed it; one
runs out soon.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.web.demo.learners import DEMO_LEARNER
from licenses.services import (
    activate_license,
    appoint_administrator,
    assign_licenses,
    link_learners,
    open_customer,
    open_plan,
)

CUSTOMER = "harbour-logistics"
UNLINK_AFTER_DAYS = 90
SEATS_OF_ENDED_PLAN = 50
HOLDERS_OF_ENDED_PLAN = 40
ACTIVATED_IN_ENDED_PLAN = 4
SEATS_OF_RUNNING_PLAN = 25

DAY = timedelta(days=1)
YEAR = 365 * DAY
ENDED, LEFT, KEPT = 100 * DAY, 20 * DAY, 2 * YEAR


def sell_licenses(usernames: Sequence[str], *, administrator: User, by: Attribution) -> None:
    """Make the customer, with seats for the first of these learners.

    Raises `ConflictError` where there is such a customer already.
    """
    people = _people(usernames)
    today = by.at.replace(hour=0, minute=0, second=0, microsecond=0)
    ended_at, ends_at = today - ENDED, today + LEFT
    agreement = open_customer(
        slug=CUSTOMER, name="Harbour Logistics", unlink_after_days=UNLINK_AFTER_DAYS, by=by
    )
    customer = agreement.customer
    # Names stay to be looked at. Who had a seat before it moved in is told nothing.
    agreement.license_duration_before_purge = KEPT
    agreement.disable_onboarding_notifications = True
    save_with_history(agreement, by=by)
    appoint_administrator(customer=customer, email=administrator.email, by=by)
    # Now, so that the LMS hears of it once, and not on the days on which the seats were given.
    demo_learner, *holders = people
    link_learners(customer=customer, emails=[person.email for person in people], by=by)
    former = open_plan(
        agreement=agreement,
        title="Harbour Logistics: first year",
        starts=ended_at - YEAR,
        ends=ended_at,
        seats=SEATS_OF_ENDED_PLAN,
        by=by,
    )
    running = open_plan(
        agreement=agreement,
        title="Harbour Logistics: second year",
        starts=ends_at - YEAR,
        ends=ends_at,
        seats=SEATS_OF_RUNNING_PLAN,
        by=by,
    )
    then = replace(by, at=ended_at - YEAR + 14 * DAY)
    _give(former.uuid, holders, activated=ACTIVATED_IN_ENDED_PLAN, by=then)
    stays = holders[:1]
    _give(running.uuid, stays, activated=1, by=replace(by, at=ended_at))
    _give(running.uuid, [demo_learner], activated=0, by=replace(by, at=today - 7 * DAY))
    agreement.disable_onboarding_notifications = False
    save_with_history(agreement, by=by)


def _people(usernames: Sequence[str]) -> list[User]:
    """The demo's learner, and those who hold seats of the plan that ended."""
    others = [username for username in usernames if username != DEMO_LEARNER]
    chosen = [DEMO_LEARNER, *others[:HOLDERS_OF_ENDED_PLAN]]
    by_username = User.objects.in_bulk(chosen, field_name="username")
    return [by_username[username] for username in chosen]


def _give(plan: UUID, people: Sequence[User], *, activated: int, by: Attribution) -> None:
    """Seats for these people, of whom the first ones activated theirs the day after."""
    emails = [person.email for person in people]
    given = assign_licenses(plan_uuid=plan, emails=emails, notify=False, by=by)
    keys = {license.user_email: license.activation_key for license in given.assigned}
    later = replace(by, at=by.at + DAY)
    for person in people[:activated]:
        if key := keys[person.email]:
            activate_license(activation_key=key, user=person, by=later)
