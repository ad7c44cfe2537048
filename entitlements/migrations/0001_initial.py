import datetime
import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.math
import django.db.models.lookups
import django.utils.timezone
import model_utils.fields
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("programs", "0008_revocation_has_kind"),
        ("sites", "0002_alter_domain_unique"),
    ]

    operations = [
        migrations.CreateModel(
            name="CourseEntitlementPolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        blank=True,
                        choices=[("verified", "verified"), ("professional", "professional")],
                        max_length=32,
                        null=True,
                    ),
                ),
                (
                    "expiration_period",
                    models.DurationField(
                        default=datetime.timedelta(days=730), verbose_name="may be used for"
                    ),
                ),
                (
                    "refund_period",
                    models.DurationField(
                        default=datetime.timedelta(days=60), verbose_name="refundable for"
                    ),
                ),
                (
                    "regain_period",
                    models.DurationField(
                        default=datetime.timedelta(days=14),
                        verbose_name="session may be changed for",
                    ),
                ),
                (
                    "superseded_at",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="superseded at"
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="sites.site",
                    ),
                ),
            ],
            options={
                "verbose_name": "entitlement policy",
                "verbose_name_plural": "entitlement policies",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("superseded_at", None)),
                        fields=("site", "mode"),
                        name="entitlement_policy_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("mode", None),
                            ("mode__in", ["verified", "professional"]),
                            _connector="OR",
                        ),
                        name="entitlement_policy_mode_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expiration_period__gte", datetime.timedelta(0)),
                            django.db.models.lookups.Exact(
                                django.db.models.functions.math.Mod(
                                    django.db.models.functions.datetime.Extract(
                                        "expiration_period", "epoch"
                                    ),
                                    86400,
                                ),
                                0,
                            ),
                        ),
                        name="entitlement_policy_expiration_period_whole_days",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("refund_period__gte", datetime.timedelta(0)),
                            django.db.models.lookups.Exact(
                                django.db.models.functions.math.Mod(
                                    django.db.models.functions.datetime.Extract(
                                        "refund_period", "epoch"
                                    ),
                                    86400,
                                ),
                                0,
                            ),
                        ),
                        name="entitlement_policy_refund_period_whole_days",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("regain_period__gte", datetime.timedelta(0)),
                            django.db.models.lookups.Exact(
                                django.db.models.functions.math.Mod(
                                    django.db.models.functions.datetime.Extract(
                                        "regain_period", "epoch"
                                    ),
                                    86400,
                                ),
                                0,
                            ),
                        ),
                        name="entitlement_policy_regain_period_whole_days",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CourseEntitlement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("course_uuid", models.UUIDField()),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("verified", "verified"),
                            ("professional", "professional"),
                            ("no-id-professional", "professional without identity check"),
                        ],
                        max_length=100,
                    ),
                ),
                ("order_number", models.CharField(blank=True, max_length=128, null=True)),
                ("refund_locked", models.BooleanField(default=False)),
                ("redeemed_at", models.DateTimeField(blank=True, null=True)),
                ("extended_until", models.DateTimeField(blank=True, null=True)),
                ("expired_at", models.DateTimeField(blank=True, null=True)),
                (
                    "expired_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("period", "its time to be used is over"),
                            ("regain", "the time to change or leave the session is over"),
                            ("certificate", "a certificate was earned with it"),
                            ("refund", "refunded"),
                            ("revoke", "taken back with the order"),
                            ("support", "ended by staff"),
                            ("retired", "its learner left"),
                            ("imported", "ended before it came here"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "enrollment_course_run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="programs.courseenrollment",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="course_entitlements",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "policy",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entitlements",
                        to="entitlements.courseentitlementpolicy",
                    ),
                ),
            ],
            options={
                "verbose_name": "entitlement",
                "permissions": [("support_entitlements", "Can act on entitlements for learners")],
                "indexes": [
                    models.Index(fields=["user", "course_uuid"], name="entitlement_user_course"),
                    models.Index(
                        condition=models.Q(("expired_at", None)),
                        fields=["created"],
                        name="entitlement_not_expired",
                    ),
                    models.Index(
                        condition=models.Q(("expired_at", None), ("extended_until__isnull", False)),
                        fields=["extended_until"],
                        name="entitlement_extended",
                    ),
                    models.Index(
                        condition=models.Q(("order_number__isnull", False)),
                        fields=["order_number"],
                        name="entitlement_order",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("course_uuid", "order_number"), name="entitlement_order_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("order_number", None),
                            models.Q(("order_number", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="entitlement_order_number_not_empty",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("enrollment_course_run__isnull", False), ("expired_at", None)
                        ),
                        fields=("enrollment_course_run",),
                        name="entitlement_enrollment_paid_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("redeemed_at", None),
                            ("enrollment_course_run__isnull", False),
                            _connector="OR",
                        ),
                        name="entitlement_redeemed_has_enrollment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("expired_at", None), ("expired_reason", "")),
                            models.Q(
                                ("expired_at__isnull", False),
                                (
                                    "expired_reason__in",
                                    [
                                        "period",
                                        "regain",
                                        "certificate",
                                        "refund",
                                        "revoke",
                                        "support",
                                        "retired",
                                        "imported",
                                    ],
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="entitlement_expiry_has_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("mode__in", ["verified", "professional", "no-id-professional"])
                        ),
                        name="entitlement_mode_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CourseEntitlementRedemption",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "under way"),
                            ("done", "done"),
                            ("refused", "refused"),
                            ("abandoned", "given up"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                (
                    "refusal",
                    models.CharField(
                        blank=True,
                        help_text="A code; never the words of a remote system.",
                        max_length=100,
                    ),
                ),
                ("requested_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "course_run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="programs.courserun",
                    ),
                ),
                (
                    "entitlement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="redemptions",
                        to="entitlements.courseentitlement",
                    ),
                ),
                (
                    "left_enrollment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="programs.courseenrollment",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "use of an entitlement",
                "verbose_name_plural": "uses of entitlements",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "pending")),
                        fields=("entitlement",),
                        name="entitlement_redemption_one_pending",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at", None), ("status", "pending")),
                            models.Q(
                                ("finished_at__isnull", False),
                                ("status__in", ["pending", "done", "refused", "abandoned"]),
                                models.Q(("status", "pending"), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="entitlement_redemption_finished_has_date",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CourseEntitlementRefund",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("order_number", models.CharField(max_length=128)),
                (
                    "gateway",
                    models.CharField(
                        choices=[("orders", "the order service"), ("manual", "staff, by hand")],
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "asked for, no answer yet"),
                            ("needs_review", "unclear, staff must look"),
                            ("opened", "accepted, to be paid"),
                            ("paid", "paid"),
                            ("failed", "refused"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                (
                    "refusal",
                    models.CharField(
                        blank=True,
                        help_text="A code; never the words of a remote system.",
                        max_length=100,
                    ),
                ),
                ("may_have_arrived", models.BooleanField(default=False)),
                (
                    "remote_ids",
                    models.JSONField(default=list, verbose_name="refunds at the order service"),
                ),
                ("requested_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "entitlement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="entitlements.courseentitlement",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "settled_by",
                    models.ForeignKey(
                        blank=True,
                        help_text="Staff who settled it; empty where the gateway answered.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "refund",
                "permissions": [("settle_refunds", "Can settle and retry refunds of entitlements")],
                "indexes": [
                    models.Index(
                        condition=models.Q(
                            ("status__in", ("pending", "needs_review")),
                            models.Q(("gateway", "manual"), ("status", "opened")),
                            _connector="OR",
                        ),
                        fields=["requested_at"],
                        name="entitlement_refund_waiting",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "failed"), _negated=True),
                        fields=("entitlement",),
                        name="entitlement_refunded_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("settled_at", None), ("status__in", ("pending", "needs_review"))
                            ),
                            models.Q(
                                ("settled_at__isnull", False),
                                (
                                    "status__in",
                                    ["pending", "needs_review", "opened", "paid", "failed"],
                                ),
                                models.Q(
                                    ("status__in", ("pending", "needs_review")), _negated=True
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="entitlement_refund_settled_has_date",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CourseEntitlementSupportDetail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("REISSUE", "reissued"),
                            ("CREATE", "created"),
                            ("EXPIRE", "expired"),
                            ("LEAVE", "session left"),
                            ("TRANSFER", "transferred"),
                            ("EXTEND", "extended"),
                            ("REFUND", "refund settled"),
                        ],
                        max_length=15,
                    ),
                ),
                ("comments", models.TextField()),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("LEAVE", "learner requested leave session"),
                            ("CHANGE", "learner requested session change"),
                            ("LEARNER_NEW", "learner requested new entitlement"),
                            ("COURSE_TEAM_NEW", "course team requested entitlement for learner"),
                            ("OTHER", "other"),
                        ],
                        max_length=15,
                        null=True,
                    ),
                ),
                (
                    "entitlement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="support_details",
                        to="entitlements.courseentitlement",
                    ),
                ),
                (
                    "support_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "unenrolled_run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="programs.courserun",
                    ),
                ),
            ],
            options={
                "verbose_name": "support action",
                "ordering": ["-created", "-pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "action__in",
                                [
                                    "REISSUE",
                                    "CREATE",
                                    "EXPIRE",
                                    "LEAVE",
                                    "TRANSFER",
                                    "EXTEND",
                                    "REFUND",
                                ],
                            )
                        ),
                        name="entitlement_support_action_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EntitlementReminder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("threshold_days", models.PositiveSmallIntegerField()),
                ("ends_at", models.DateTimeField()),
                ("queued_at", models.DateTimeField()),
                (
                    "entitlement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reminders",
                        to="entitlements.courseentitlement",
                    ),
                ),
            ],
            options={
                "verbose_name": "reminder",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("entitlement", "threshold_days", "ends_at"),
                        name="entitlement_reminder_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EntitlementReview",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("cause", models.CharField(blank=True, max_length=100)),
                ("opened_at", models.DateTimeField()),
                (
                    "course_run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="programs.courserun",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entitlement_reviews",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "entitlement to look at again",
                "verbose_name_plural": "entitlements to look at again",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "course_run"), name="entitlement_review_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalCourseEntitlement",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                ("cause", models.CharField(blank=True, max_length=100)),
                ("uuid", models.UUIDField(db_index=True, default=uuid.uuid4, editable=False)),
                ("course_uuid", models.UUIDField()),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("verified", "verified"),
                            ("professional", "professional"),
                            ("no-id-professional", "professional without identity check"),
                        ],
                        max_length=100,
                    ),
                ),
                ("order_number", models.CharField(blank=True, max_length=128, null=True)),
                ("refund_locked", models.BooleanField(default=False)),
                ("redeemed_at", models.DateTimeField(blank=True, null=True)),
                ("extended_until", models.DateTimeField(blank=True, null=True)),
                ("expired_at", models.DateTimeField(blank=True, null=True)),
                (
                    "expired_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("period", "its time to be used is over"),
                            ("regain", "the time to change or leave the session is over"),
                            ("certificate", "a certificate was earned with it"),
                            ("refund", "refunded"),
                            ("revoke", "taken back with the order"),
                            ("support", "ended by staff"),
                            ("retired", "its learner left"),
                            ("imported", "ended before it came here"),
                        ],
                        max_length=16,
                    ),
                ),
                ("history_change_reason", models.TextField(null=True)),
                (
                    "history_id",
                    models.BigAutoField(editable=False, primary_key=True, serialize=False),
                ),
                ("history_date", models.DateTimeField(db_index=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "enrollment_course_run",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="programs.courseenrollment",
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "policy",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="entitlements.courseentitlementpolicy",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical entitlement",
                "verbose_name_plural": "historical entitlements",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalCourseEntitlementPolicy",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                ("cause", models.CharField(blank=True, max_length=100)),
                (
                    "mode",
                    models.CharField(
                        blank=True,
                        choices=[("verified", "verified"), ("professional", "professional")],
                        max_length=32,
                        null=True,
                    ),
                ),
                (
                    "expiration_period",
                    models.DurationField(
                        default=datetime.timedelta(days=730), verbose_name="may be used for"
                    ),
                ),
                (
                    "refund_period",
                    models.DurationField(
                        default=datetime.timedelta(days=60), verbose_name="refundable for"
                    ),
                ),
                (
                    "regain_period",
                    models.DurationField(
                        default=datetime.timedelta(days=14),
                        verbose_name="session may be changed for",
                    ),
                ),
                (
                    "superseded_at",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="superseded at"
                    ),
                ),
                ("history_change_reason", models.TextField(null=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="sites.site",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical entitlement policy",
                "verbose_name_plural": "historical entitlement policies",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalCourseEntitlementRefund",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                ("cause", models.CharField(blank=True, max_length=100)),
                ("order_number", models.CharField(max_length=128)),
                (
                    "gateway",
                    models.CharField(
                        choices=[("orders", "the order service"), ("manual", "staff, by hand")],
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "asked for, no answer yet"),
                            ("needs_review", "unclear, staff must look"),
                            ("opened", "accepted, to be paid"),
                            ("paid", "paid"),
                            ("failed", "refused"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                (
                    "refusal",
                    models.CharField(
                        blank=True,
                        help_text="A code; never the words of a remote system.",
                        max_length=100,
                    ),
                ),
                ("may_have_arrived", models.BooleanField(default=False)),
                (
                    "remote_ids",
                    models.JSONField(default=list, verbose_name="refunds at the order service"),
                ),
                ("requested_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
                ("history_change_reason", models.TextField(null=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "entitlement",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="entitlements.courseentitlement",
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "settled_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="Staff who settled it; empty where the gateway answered.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical refund",
                "verbose_name_plural": "historical refunds",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalCourseEntitlementSupportDetail",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                ("cause", models.CharField(blank=True, max_length=100)),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("REISSUE", "reissued"),
                            ("CREATE", "created"),
                            ("EXPIRE", "expired"),
                            ("LEAVE", "session left"),
                            ("TRANSFER", "transferred"),
                            ("EXTEND", "extended"),
                            ("REFUND", "refund settled"),
                        ],
                        max_length=15,
                    ),
                ),
                ("comments", models.TextField()),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("LEAVE", "learner requested leave session"),
                            ("CHANGE", "learner requested session change"),
                            ("LEARNER_NEW", "learner requested new entitlement"),
                            ("COURSE_TEAM_NEW", "course team requested entitlement for learner"),
                            ("OTHER", "other"),
                        ],
                        max_length=15,
                        null=True,
                    ),
                ),
                ("history_change_reason", models.TextField(null=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "entitlement",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="entitlements.courseentitlement",
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "support_user",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "unenrolled_run",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="programs.courserun",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical support action",
                "verbose_name_plural": "historical support actions",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
    ]
