import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="OutboxHold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        blank=True,
                        help_text="Empty: every kind.",
                        max_length=64,
                        unique=True,
                        verbose_name="kind",
                    ),
                ),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                ("held_at", models.DateTimeField(verbose_name="held at")),
            ],
            options={
                "verbose_name": "outbox hold",
                "verbose_name_plural": "outbox holds",
                "default_permissions": ("view", "add", "delete"),
            },
        ),
        migrations.CreateModel(
            name="OutboxBreaker",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=64, verbose_name="kind")),
                ("scope", models.CharField(blank=True, max_length=200, verbose_name="scope")),
                ("failures", models.PositiveIntegerField(verbose_name="failures in a row")),
                (
                    "open_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="open until"),
                ),
            ],
            options={
                "verbose_name": "outbox breaker",
                "verbose_name_plural": "outbox breakers",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "scope"), name="outbox_breaker_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="OutboxMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "uuid",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, unique=True, verbose_name="message id"
                    ),
                ),
                ("kind", models.CharField(max_length=64, verbose_name="kind")),
                (
                    "dedupe_key",
                    models.CharField(
                        help_text="The kind and the row that caused it.",
                        max_length=200,
                        verbose_name="cause",
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        blank=True,
                        help_text="Messages with the same key leave one after the other.",
                        max_length=200,
                        verbose_name="ordering key",
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        blank=True,
                        help_text="Whose trouble at the remote system stops only their own messages.",
                        max_length=200,
                        verbose_name="scope",
                    ),
                ),
                ("payload", models.JSONField(verbose_name="payload")),
                (
                    "payload_version",
                    models.PositiveSmallIntegerField(default=1, verbose_name="payload version"),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("delivering", "in delivery"),
                            ("done", "done"),
                            ("skipped", "skipped: no longer wanted"),
                            ("failed", "failed: refused for good"),
                            ("dead", "dead: gave up"),
                            ("uncertain", "uncertain: the answer was lost"),
                        ],
                        default="pending",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        help_text="A code of the last outcome; never the words of a remote system.",
                        max_length=100,
                        verbose_name="reason",
                    ),
                ),
                (
                    "attempts",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Counted when a deliverer takes the message.",
                        verbose_name="attempts",
                    ),
                ),
                (
                    "due_at",
                    models.DateTimeField(
                        help_text="The next attempt; of a message in delivery, the lease's end.",
                        verbose_name="due at",
                    ),
                ),
                (
                    "lease_token",
                    models.UUIDField(blank=True, editable=False, null=True, verbose_name="lease"),
                ),
                (
                    "call_began",
                    models.BooleanField(
                        default=False,
                        help_text="The remote system may have heard of the present attempt.",
                        verbose_name="call began",
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished at"),
                ),
            ],
            options={
                "verbose_name": "outbox message",
                "verbose_name_plural": "outbox messages",
                "permissions": [("settle_outboxmessage", "Can settle stuck outbox messages")],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ("pending", "delivering"))),
                        fields=["kind", "due_at", "id"],
                        name="outbox_due",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("status__in", ("pending", "delivering", "dead", "uncertain"))
                        ),
                        fields=["key", "id"],
                        name="outbox_order_of_key",
                    ),
                    models.Index(
                        condition=models.Q(("status__in", ("dead", "uncertain"))),
                        fields=["status", "kind"],
                        name="outbox_stuck",
                    ),
                    models.Index(
                        condition=models.Q(("status__in", ("done", "skipped", "failed"))),
                        fields=["finished_at"],
                        name="outbox_purge",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("dedupe_key",), name="outbox_dedupe_key_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "pending",
                                    "delivering",
                                    "done",
                                    "skipped",
                                    "failed",
                                    "dead",
                                    "uncertain",
                                ],
                            )
                        ),
                        name="outbox_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lease_token__isnull", False), ("status", "delivering")),
                            models.Q(
                                models.Q(("status", "delivering"), _negated=True),
                                ("lease_token", None),
                            ),
                            _connector="OR",
                        ),
                        name="outbox_lease_while_delivering",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("finished_at__isnull", False),
                                ("status__in", ("done", "skipped", "failed")),
                            ),
                            models.Q(
                                models.Q(
                                    ("status__in", ("done", "skipped", "failed")), _negated=True
                                ),
                                ("finished_at", None),
                            ),
                            _connector="OR",
                        ),
                        name="outbox_finished_at_when_finished",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason__regex", "^[A-Za-z0-9_.-]*$")),
                        name="outbox_reason_is_a_code",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind", ""), _negated=True),
                        name="outbox_kind_not_empty",
                    ),
                ],
            },
        ),
    ]
