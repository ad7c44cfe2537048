"""What staff may do about an entitlement: when it is possible, what follows, and who does it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from entitlements.admin.forms import CommentForm, ExtensionForm, LeavingForm, TransferForm
from entitlements.admin.words import moment
from entitlements.models import CourseEntitlement
from entitlements.selectors.learners import HeldEntitlement, Standing
from entitlements.services import supporting

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

SUPPORT = "entitlements.support_entitlements"
FROZEN = (Standing.TAKING, Standing.REFUND_ASKED, Standing.REFUND_UNCLEAR)


@dataclass(frozen=True)
class Action:
    """Something that staff may do about one entitlement.

    `act` takes `entitlement_uuid`, `by` and what the fields of `form` say.
    """

    name: str
    title: "_StrPromise"
    button: "_StrPromise"
    done: "_StrPromise"
    suits: Callable[[HeldEntitlement], bool]
    consequences: Callable[[HeldEntitlement], Iterator[str]]
    act: Callable[..., CourseEntitlement]
    form: type[CommentForm] = CommentForm
    initial: dict[str, Any] = field(default_factory=dict)

    def is_possible(self, held: HeldEntitlement) -> bool:
        """Whether it can be done now; nothing can while a use or a refund is under way."""
        return held.standing not in FROZEN and self.suits(held)

    def form_of(self, held: HeldEntitlement) -> type[CommentForm]:
        """Nobody is asked about a session that there is not."""
        return CommentForm if self.form is LeavingForm and held.usage is None else self.form


def _of_reissue(held: HeldEntitlement) -> Iterator[str]:
    new_end = max(held.at + settings.ENTITLEMENT_REISSUE_PERIOD, held.decision.base_end)
    yield _("It can be used again, until %s.") % moment(new_end)
    if held.standing == Standing.REFUNDED:
        yield _("It was refunded, and stays so: its learner gets it for nothing.")
    else:
        yield _("It will not be refundable.")
    if held.usage:
        yield (
            _(
                "It was used for %s. Its learner leaves that session and can choose another. If they"
                " are to keep it, the time to change it must not be over."
            )
            % held.usage.run_key
        )


def _of_expiry(held: HeldEntitlement) -> Iterator[str]:
    yield _("It can no longer be used, changed or refunded. Reissuing it is possible.")
    if held.usage:
        yield _("It is used for %s; its learner stays in that session, unless you say so.") % (
            held.usage.run_key
        )


def _of_extension(held: HeldEntitlement) -> Iterator[str]:
    yield _("It may be used until %s now; the days are added to that.") % moment(
        held.decision.base_end
    )
    yield _("How long it is refundable, and its session may be changed, stays as it is.")


def _of_transfer(held: HeldEntitlement) -> Iterator[str]:
    yield (
        _(
            "It is given to another learner, who can use it instead of %s, to another course, or both."
        )
        % held.entitlement.user
    )
    yield _("Given to another learner it is not refundable any more, for they did not pay for it.")
    yield _("Its order, its policy and its end stay as they are.")


def _of_release(held: HeldEntitlement) -> Iterator[str]:
    if held.usage:
        yield _("Its learner leaves %s, and is unenrolled there. Nothing is refunded.") % (
            held.usage.run_key
        )
    yield _("It can be used for another session, until %s.") % moment(held.decision.base_end)


REISSUE = Action(
    name="reissue",
    title=gettext_lazy("Reissue this entitlement"),
    button=gettext_lazy("Reissue it"),
    done=gettext_lazy("It can be used again."),
    suits=lambda held: held.decision.is_expired,
    consequences=_of_reissue,
    act=supporting.reissue_entitlement,
    form=LeavingForm,
    initial={"leaves_run": True},
)
EXTEND = Action(
    name="extend",
    title=gettext_lazy("Extend this entitlement"),
    button=gettext_lazy("Extend it"),
    done=gettext_lazy("It can be used longer."),
    suits=lambda held: not held.decision.is_expired,
    consequences=_of_extension,
    act=supporting.extend_entitlement,
    form=ExtensionForm,
)
RELEASE = Action(
    name="release",
    title=gettext_lazy("Release this entitlement from its session"),
    button=gettext_lazy("Release it"),
    done=gettext_lazy("It is released. Its learner is unenrolled as soon as the LMS answers."),
    suits=lambda held: held.usage is not None and not held.decision.is_expired,
    consequences=_of_release,
    act=supporting.release_entitlement,
)
TRANSFER = Action(
    name="transfer",
    title=gettext_lazy("Transfer this entitlement"),
    button=gettext_lazy("Transfer it"),
    done=gettext_lazy("It is transferred."),
    suits=lambda held: held.usage is None and not held.decision.is_expired,
    consequences=_of_transfer,
    act=supporting.transfer_entitlement,
    form=TransferForm,
)
EXPIRE = Action(
    name="expire",
    title=gettext_lazy("Expire this entitlement"),
    button=gettext_lazy("Expire it"),
    done=gettext_lazy("It has ended."),
    suits=lambda held: not held.decision.is_expired,
    consequences=_of_expiry,
    act=supporting.expire_entitlement,
    form=LeavingForm,
)
ACTIONS = (REISSUE, EXTEND, RELEASE, TRANSFER, EXPIRE)
