from collections import Counter
from typing import NamedTuple

from django.core.management import CommandParser
from django.utils import timezone

from credentials_portal.core import arguments, outbox
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from credentials_portal.core.models.outbox import OutboxStatus
from entitlements.enums import EntitlementMode
from entitlements.models import CourseEntitlement
from entitlements.services.locking import EntitlementNotFoundError, require_unfrozen
from entitlements.services.modes import change_mode

UPDATED, UNCHANGED, FAILED = "updated", "unchanged", "failed"
ENROLLMENT_NOT_UPDATED = "enrollment_not_updated"


class Verdict(NamedTuple):
    outcome: str
    reason: str = ""


def order_numbers(text: str) -> tuple[str, ...]:
    """Order numbers with commas between them, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


class Command(OperatorCommand):
    """Prints `updated`, `unchanged` (they have the mode), and `failed` with `reasons` (code →
    orders). Exits 1 where an order is unknown or an enrollment did not get the mode."""

    help = (
        "Give the entitlements of orders for a course another mode, and the policy that goes with"
        " it. What one order meets stops no other."
    )
    report_columns = ("order_number", "outcome", "reason")

    def add_options(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("orders", type=order_numbers, metavar="ORDERS", help="Numbers: EDX-1,EDX-2.")
        add("course", type=arguments.uuid, metavar="COURSE", help="The course's uuid.")
        add("mode", choices=EntitlementMode.values, metavar="MODE")
        add(
            "--update-enrollment",
            action="store_true",
            help="Where one is used for a session, the enrollment gets the mode as well.",
        )

    def run(self, run: CommandRun) -> Summary:
        outcomes: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        orders: tuple[str, ...] = run.options["orders"]
        for order in run.batches(orders, total=len(orders)):
            verdict = self._update(run, order)
            outcomes[verdict.outcome] += 1
            if verdict.reason:
                reasons[verdict.reason] += 1
                self.stderr.write(f"{order}: {verdict.reason}")
            run.report.row(order_number=order, outcome=verdict.outcome, reason=verdict.reason)
        return Summary(
            {
                **{outcome: outcomes[outcome] for outcome in (UPDATED, UNCHANGED, FAILED)},
                "reasons": dict(reasons.most_common()),
            },
            failed=reasons.total(),
        )

    def _update(self, run: CommandRun, order: str) -> Verdict:
        mode = EntitlementMode(run.options["mode"])
        try:
            if run.dry_run:
                return _preview(run, order, mode)
            change = change_mode(
                course_uuid=run.options["course"],
                order_number=order,
                mode=mode,
                by=Attribution(at=run.at, actor=run.actor, cause=run.cause),
                updates_enrollment=run.options["update_enrollment"],
            )
        except DomainError as refusal:
            return Verdict(FAILED, refusal.code)
        sent = (
            outbox.deliver_now(change.message_ids, clock=timezone.now) if change.message_ids else {}
        )
        is_sent = all(one.status == OutboxStatus.DONE for one in sent.values())
        return Verdict(
            UPDATED if change.is_changed or sent else UNCHANGED,
            "" if is_sent else ENROLLMENT_NOT_UPDATED,
        )


def _preview(run: CommandRun, order: str, mode: EntitlementMode) -> Verdict:
    entitlement = CourseEntitlement.objects.filter(
        course_uuid=run.options["course"], order_number=order
    ).first()
    if entitlement is None:
        return Verdict(FAILED, EntitlementNotFoundError.code)
    require_unfrozen(entitlement)
    return Verdict(UNCHANGED if entitlement.mode == mode else UPDATED)
