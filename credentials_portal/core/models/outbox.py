from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.personal import register

if TYPE_CHECKING:
    from collections.abc import Collection


class OutboxStatus(models.TextChoices):
    """Where a message stands; docs/outbox.md tells operators what each state asks of them."""

    PENDING = "pending", _("pending")
    DELIVERING = "delivering", _("in delivery")
    DONE = "done", _("done")
    SKIPPED = "skipped", _("skipped: no longer wanted")
    FAILED = "failed", _("failed: refused for good")
    DEAD = "dead", _("dead: gave up")
    UNCERTAIN = "uncertain", _("uncertain: the answer was lost")


UNFINISHED = (OutboxStatus.PENDING, OutboxStatus.DELIVERING)
STUCK = (OutboxStatus.DEAD, OutboxStatus.UNCERTAIN)
FINISHED = (OutboxStatus.DONE, OutboxStatus.SKIPPED, OutboxStatus.FAILED)


class OutboxQuerySet(models.QuerySet["OutboxMessage"]):
    def due(self, at: datetime) -> "OutboxQuerySet":
        """Waiting messages whose time has come, and claimed ones whose lease has run out."""
        return self.filter(status__in=UNFINISHED, due_at__lte=at)

    def never_tried(self) -> "OutboxQuerySet":
        """Messages that no deliverer has taken yet, due or reserved for the caller."""
        return self.filter(status=OutboxStatus.PENDING, attempts=0)

    def released(self) -> "OutboxQuerySet":
        """Messages that no hold stops."""
        return self.exclude(_is_held())

    def settleable(self) -> "OutboxQuerySet":
        """Messages that staff may close: stuck ones, and what waits while a hold stops it."""
        return self.filter(Q(status__in=STUCK) | Q(_is_held(), status=OutboxStatus.PENDING))

    def at_head_of_key(self, *, blocking_kinds: "Collection[str]") -> "OutboxQuerySet":
        """Messages without an ordering key, and of each key those that nothing earlier holds back.

        Unfinished messages hold back the later ones; stuck ones only if their kind says so.
        """
        earlier = OutboxMessage.objects.filter(
            Q(status__in=UNFINISHED) | Q(status__in=STUCK, kind__in=blocking_kinds),
            key=OuterRef("key"),
            pk__lt=OuterRef("pk"),
        )
        return self.filter(Q(key="") | ~Exists(earlier))

    def with_breaker(self, at: datetime) -> "OutboxQuerySet":
        """Leave out what an open breaker keeps back; `is_probe` marks what would test one."""
        breakers = OutboxBreaker.objects.filter(kind=OuterRef("kind"), scope=OuterRef("scope"))
        return self.exclude(Exists(breakers.filter(open_until__gt=at))).annotate(
            is_probe=Exists(breakers.filter(open_until__lte=at))
        )


class OutboxMessage(models.Model):
    """Something that has to leave the process, written in the transaction that caused it.

    Rows are written by `core.outbox.enqueue` and changed by `core.outbox` alone. `payload` holds
    ids; names and addresses are looked up when the message is delivered.
    """

    uuid = models.UUIDField(_("message id"), default=uuid4, editable=False, unique=True)
    kind = models.CharField(_("kind"), max_length=64)
    dedupe_key = models.CharField(
        _("cause"), max_length=200, help_text=_("The kind and the row that caused it.")
    )
    key = models.CharField(
        _("ordering key"),
        max_length=200,
        blank=True,
        help_text=_("Messages with the same key leave one after the other."),
    )
    scope = models.CharField(
        _("scope"),
        max_length=200,
        blank=True,
        help_text=_("Whose trouble at the remote system stops only their own messages."),
    )
    payload = models.JSONField(_("payload"))
    payload_version = models.PositiveSmallIntegerField(_("payload version"), default=1)
    status = models.CharField(
        _("status"), max_length=10, choices=OutboxStatus, default=OutboxStatus.PENDING
    )
    reason = models.CharField(
        _("reason"),
        max_length=100,
        blank=True,
        help_text=_("A code of the last outcome; never the words of a remote system."),
    )
    attempts = models.PositiveSmallIntegerField(
        _("attempts"), default=0, help_text=_("Counted when a deliverer takes the message.")
    )
    due_at = models.DateTimeField(
        _("due at"), help_text=_("The next attempt; of a message in delivery, the lease's end.")
    )
    lease_token = models.UUIDField(_("lease"), null=True, blank=True, editable=False)
    call_began = models.BooleanField(
        _("call began"),
        default=False,
        help_text=_("The remote system may have heard of the present attempt."),
    )
    created_at = models.DateTimeField(_("created at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        verbose_name = _("outbox message")
        verbose_name_plural = _("outbox messages")
        default_permissions = ("view",)
        permissions = [("settle_outboxmessage", "Can settle stuck outbox messages")]
        constraints = [
            models.UniqueConstraint(fields=["dedupe_key"], name="outbox_dedupe_key_unique"),
            models.CheckConstraint(
                condition=Q(status__in=OutboxStatus.values), name="outbox_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status=OutboxStatus.DELIVERING, lease_token__isnull=False)
                | (~Q(status=OutboxStatus.DELIVERING) & Q(lease_token=None)),
                name="outbox_lease_while_delivering",
            ),
            models.CheckConstraint(
                condition=Q(status__in=FINISHED, finished_at__isnull=False)
                | (~Q(status__in=FINISHED) & Q(finished_at=None)),
                name="outbox_finished_at_when_finished",
            ),
            models.CheckConstraint(
                condition=Q(reason__regex=r"^[A-Za-z0-9_.-]*$"), name="outbox_reason_is_a_code"
            ),
            models.CheckConstraint(condition=~Q(kind=""), name="outbox_kind_not_empty"),
        ]
        indexes = [
            models.Index(
                fields=["kind", "due_at", "id"],
                condition=Q(status__in=UNFINISHED),
                name="outbox_due",
            ),
            models.Index(
                fields=["key", "id"],
                condition=Q(status__in=(*UNFINISHED, *STUCK)),
                name="outbox_order_of_key",
            ),
            models.Index(
                fields=["status", "kind"], condition=Q(status__in=STUCK), name="outbox_stuck"
            ),
            models.Index(
                fields=["finished_at"], condition=Q(status__in=FINISHED), name="outbox_purge"
            ),
        ]

    def __str__(self) -> str:
        return self.dedupe_key


class OutboxBreaker(models.Model):
    """How often in a row a remote system failed for one kind and scope; none when it answers."""

    kind = models.CharField(_("kind"), max_length=64)
    scope = models.CharField(_("scope"), max_length=200, blank=True)
    failures = models.PositiveIntegerField(_("failures in a row"))
    open_until = models.DateTimeField(_("open until"), null=True, blank=True)

    class Meta:
        verbose_name = _("outbox breaker")
        verbose_name_plural = _("outbox breakers")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["kind", "scope"], name="outbox_breaker_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.scope}".rstrip()


class OutboxHold(models.Model):
    """While it exists nothing of this kind, or nothing at all, is delivered."""

    kind = models.CharField(
        _("kind"), max_length=64, blank=True, unique=True, help_text=_("Empty: every kind.")
    )
    reason = models.CharField(_("reason"), max_length=200)
    held_at = models.DateTimeField(_("held at"))

    class Meta:
        verbose_name = _("outbox hold")
        verbose_name_plural = _("outbox holds")
        default_permissions = ("view", "add", "delete")

    def __str__(self) -> str:
        return self.kind or str(_("everything"))


def _is_held() -> Exists:
    return Exists(OutboxHold.objects.filter(kind__in=["", OuterRef("kind")]))


register.holds_nothing_personal(
    core__OutboxMessage__kind="a name from the code",
    core__OutboxMessage__dedupe_key="the kind and the id of a row",
    core__OutboxMessage__key="the id of a row",
    core__OutboxMessage__scope="the id of a customer or the name of a remote system",
    core__OutboxMessage__payload="ids; people are looked up when the message is delivered",
    core__OutboxMessage__reason="a code, by a constraint",
    core__OutboxBreaker__kind="a name from the code",
    core__OutboxBreaker__scope="the id of a customer or the name of a remote system",
    core__OutboxHold__kind="a name from the code",
    core__OutboxHold__reason="why operators stopped delivery",
)
