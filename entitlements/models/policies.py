"""How long entitlements last."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.db.models.functions import Extract, Mod
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.history import history_records
from entitlements.enums import PolicyMode
from entitlements.rules import DEFAULT_PERIODS, Periods

SECONDS_OF_A_DAY = 86_400


def _whole_days(field: str) -> models.CheckConstraint:
    """The rule counts whole days, so a period of 36 hours would mean two things."""
    seconds = Extract(field, "epoch")
    return models.CheckConstraint(
        condition=Q((f"{field}__gte", timedelta(0)), Exact(Mod(seconds, SECONDS_OF_A_DAY), 0)),
        name=f"entitlement_policy_{field}_whole_days",
    )


class CourseEntitlementPolicy(models.Model):
    """How long entitlements last: of a site, of a mode, of both, or of all.

    The most specific policy applies when an entitlement is made, and stays with it. A policy in
    use never changes: a new one supersedes it.
    """

    site = models.ForeignKey("sites.Site", on_delete=models.PROTECT, null=True, blank=True)
    mode = models.CharField(max_length=32, choices=PolicyMode.choices, null=True, blank=True)  # noqa: DJ001 - the old column: null is "any mode"
    expiration_period = models.DurationField(
        _("may be used for"), default=DEFAULT_PERIODS.expiration
    )
    refund_period = models.DurationField(_("refundable for"), default=DEFAULT_PERIODS.refund)
    regain_period = models.DurationField(
        _("session may be changed for"), default=DEFAULT_PERIODS.regain
    )
    superseded_at = models.DateTimeField(_("superseded at"), null=True, blank=True, editable=False)

    history = history_records()

    class Meta:
        verbose_name = _("entitlement policy")
        verbose_name_plural = _("entitlement policies")
        constraints = [
            models.UniqueConstraint(
                fields=["site", "mode"],
                condition=Q(superseded_at=None),
                nulls_distinct=False,
                name="entitlement_policy_once",
            ),
            models.CheckConstraint(
                condition=Q(mode=None) | Q(mode__in=PolicyMode.values),
                name="entitlement_policy_mode_known",
            ),
            _whole_days("expiration_period"),
            _whole_days("refund_period"),
            _whole_days("regain_period"),
        ]

    def __str__(self) -> str:
        return f"{self.mode or _('any mode')}, {self.site or _('any site')}"

    @property
    def periods(self) -> Periods:
        return Periods(self.expiration_period, self.refund_period, self.regain_period)
