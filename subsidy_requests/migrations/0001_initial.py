import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import model_utils.fields
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("licenses", "0003_what_is_left_when_plans_end"),
    ]

    operations = [
        migrations.CreateModel(
            name="Coupon",
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
                ("title", models.CharField(max_length=255)),
                ("starts_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("is_active", models.BooleanField(default=True)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="coupons",
                        to="licenses.customer",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("customer", "title"), name="coupon_title_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="CouponCode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=128)),
                ("source_request_uuid", models.UUIDField(blank=True, null=True, unique=True)),
                ("assigned_at", models.DateTimeField(blank=True, null=True)),
                (
                    "coupon",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="codes",
                        to="subsidy_requests.coupon",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("source_request_uuid", None)),
                        fields=["coupon", "id"],
                        name="coupon_code_free",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("coupon", "code"), name="coupon_code_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("assigned_at", None), ("source_request_uuid", None)),
                            models.Q(
                                ("assigned_at__isnull", False),
                                ("source_request_uuid__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="coupon_code_assigned_has_date",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("code", ""), _negated=True),
                        name="coupon_code_not_empty",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CouponCodeRequest",
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
                ("course_id", models.CharField(blank=True, max_length=128)),
                ("course_title", models.CharField(blank=True, max_length=255)),
                ("course_partners", models.JSONField(blank=True, default=list)),
                (
                    "reason",
                    models.TextField(
                        blank=True,
                        validators=[django.core.validators.MaxLengthValidator(1000)],
                        verbose_name="why the learner asks",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "waiting for a decision"),
                            ("approved", "approved, about to be granted"),
                            ("fulfilled", "granted"),
                            ("declined", "declined"),
                            ("cancelled", "cancelled by the learner"),
                            ("error", "approved, but could not be granted"),
                            ("expired", "expired unanswered"),
                        ],
                        default="requested",
                        max_length=25,
                    ),
                ),
                ("state_changed_at", models.DateTimeField()),
                (
                    "decision_source",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("learner", "its learner"),
                            ("admin_api", "an administrator, by the API"),
                            ("admin_page", "an administrator, on the customer's page"),
                            ("django_admin", "staff"),
                            ("type_change", "the customer offers something else now"),
                            ("expiry", "its time was over"),
                            ("command", "an operator"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reviewed_at", models.DateTimeField(blank=True, null=True)),
                ("decline_reason", models.CharField(blank=True, max_length=255)),
                (
                    "error_code",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no_seats", "no seat is free"),
                            ("no_codes", "no code is free"),
                            ("plan_inactive", "the plan is not active"),
                            ("plan_expired", "the plan has ended"),
                            ("provider_unavailable", "nobody gave a code"),
                            ("internal", "an unexpected error, which is logged"),
                        ],
                        max_length=32,
                    ),
                ),
                ("grant_attempts", models.PositiveSmallIntegerField(default=0)),
                ("unlink_requested", models.BooleanField(default=False)),
                (
                    "unlink_result",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("done", "unlinked"),
                            ("holds_license", "not unlinked: holds a license"),
                            ("failed", "failed, tried again"),
                        ],
                        max_length=16,
                    ),
                ),
                ("idempotency_key", models.CharField(blank=True, max_length=255, null=True)),
                ("digest_sent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "coupon",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests",
                        to="subsidy_requests.coupon",
                    ),
                ),
                (
                    "coupon_code",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="request",
                        to="subsidy_requests.couponcode",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="licenses.customer",
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "coupon code request",
                "indexes": [
                    models.Index(
                        fields=["customer", "state", "-created"], name="code_request_queue"
                    ),
                    models.Index(fields=["user", "-created"], name="code_request_user"),
                    models.Index(fields=["-created", "-id"], name="code_request_newest"),
                    models.Index(
                        condition=models.Q(("digest_sent_at", None), ("state", "requested")),
                        fields=["customer", "created"],
                        name="code_request_undigested",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "requested",
                                    "approved",
                                    "fulfilled",
                                    "declined",
                                    "cancelled",
                                    "error",
                                    "expired",
                                ],
                            )
                        ),
                        name="coupon_code_request_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("state__in", ("approved", "fulfilled", "declined")), _negated=True
                            ),
                            ("reviewed_at__isnull", False),
                            _connector="OR",
                        ),
                        name="coupon_code_request_decided_has_date",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                (
                                    "decision_source__in",
                                    ("admin_api", "admin_page", "django_admin"),
                                ),
                                _negated=True,
                            ),
                            ("reviewer__isnull", False),
                            _connector="OR",
                        ),
                        name="coupon_code_request_reviewed_has_reviewer",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decision_source", ""), ("state", "requested")),
                            models.Q(
                                models.Q(("state", "requested"), _negated=True),
                                models.Q(("decision_source", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="coupon_code_request_decision_has_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                (
                                    "error_code__in",
                                    [
                                        "no_seats",
                                        "no_codes",
                                        "plan_inactive",
                                        "plan_expired",
                                        "provider_unavailable",
                                        "internal",
                                    ],
                                ),
                                ("state", "error"),
                            ),
                            models.Q(
                                models.Q(("state", "error"), _negated=True), ("error_code", "")
                            ),
                            _connector="OR",
                        ),
                        name="coupon_code_request_error_has_code",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("idempotency_key__isnull", False)),
                        fields=("user", "idempotency_key"),
                        name="coupon_code_request_idempotency_key_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("requested", "approved"))),
                        fields=("user", "customer", "course_id"),
                        name="coupon_code_request_open_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("coupon_code__isnull", False), ("state", "fulfilled")),
                            models.Q(
                                models.Q(("state", "fulfilled"), _negated=True),
                                ("coupon_code", None),
                            ),
                            _connector="OR",
                        ),
                        name="coupon_code_request_fulfilled_has_code",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("course_id", ""), _negated=True),
                        name="coupon_code_request_has_course",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalCoupon",
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
                ("title", models.CharField(max_length=255)),
                ("starts_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("is_active", models.BooleanField(default=True)),
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
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="licenses.customer",
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
            ],
            options={
                "verbose_name": "historical coupon",
                "verbose_name_plural": "historical coupons",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalCouponCodeRequest",
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
                ("course_id", models.CharField(blank=True, max_length=128)),
                ("course_title", models.CharField(blank=True, max_length=255)),
                ("course_partners", models.JSONField(blank=True, default=list)),
                (
                    "reason",
                    models.TextField(
                        blank=True,
                        validators=[django.core.validators.MaxLengthValidator(1000)],
                        verbose_name="why the learner asks",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "waiting for a decision"),
                            ("approved", "approved, about to be granted"),
                            ("fulfilled", "granted"),
                            ("declined", "declined"),
                            ("cancelled", "cancelled by the learner"),
                            ("error", "approved, but could not be granted"),
                            ("expired", "expired unanswered"),
                        ],
                        default="requested",
                        max_length=25,
                    ),
                ),
                ("state_changed_at", models.DateTimeField()),
                (
                    "decision_source",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("learner", "its learner"),
                            ("admin_api", "an administrator, by the API"),
                            ("admin_page", "an administrator, on the customer's page"),
                            ("django_admin", "staff"),
                            ("type_change", "the customer offers something else now"),
                            ("expiry", "its time was over"),
                            ("command", "an operator"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reviewed_at", models.DateTimeField(blank=True, null=True)),
                ("decline_reason", models.CharField(blank=True, max_length=255)),
                (
                    "error_code",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no_seats", "no seat is free"),
                            ("no_codes", "no code is free"),
                            ("plan_inactive", "the plan is not active"),
                            ("plan_expired", "the plan has ended"),
                            ("provider_unavailable", "nobody gave a code"),
                            ("internal", "an unexpected error, which is logged"),
                        ],
                        max_length=32,
                    ),
                ),
                ("grant_attempts", models.PositiveSmallIntegerField(default=0)),
                ("unlink_requested", models.BooleanField(default=False)),
                (
                    "unlink_result",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("done", "unlinked"),
                            ("holds_license", "not unlinked: holds a license"),
                            ("failed", "failed, tried again"),
                        ],
                        max_length=16,
                    ),
                ),
                ("idempotency_key", models.CharField(blank=True, max_length=255, null=True)),
                ("digest_sent_at", models.DateTimeField(blank=True, null=True)),
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
                    "coupon",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="subsidy_requests.coupon",
                    ),
                ),
                (
                    "coupon_code",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="subsidy_requests.couponcode",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="licenses.customer",
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
                    "reviewer",
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
                "verbose_name": "historical coupon code request",
                "verbose_name_plural": "historical coupon code requests",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalLicenseRequest",
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
                ("course_id", models.CharField(blank=True, max_length=128)),
                ("course_title", models.CharField(blank=True, max_length=255)),
                ("course_partners", models.JSONField(blank=True, default=list)),
                (
                    "reason",
                    models.TextField(
                        blank=True,
                        validators=[django.core.validators.MaxLengthValidator(1000)],
                        verbose_name="why the learner asks",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "waiting for a decision"),
                            ("approved", "approved, about to be granted"),
                            ("fulfilled", "granted"),
                            ("declined", "declined"),
                            ("cancelled", "cancelled by the learner"),
                            ("error", "approved, but could not be granted"),
                            ("expired", "expired unanswered"),
                        ],
                        default="requested",
                        max_length=25,
                    ),
                ),
                ("state_changed_at", models.DateTimeField()),
                (
                    "decision_source",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("learner", "its learner"),
                            ("admin_api", "an administrator, by the API"),
                            ("admin_page", "an administrator, on the customer's page"),
                            ("django_admin", "staff"),
                            ("type_change", "the customer offers something else now"),
                            ("expiry", "its time was over"),
                            ("command", "an operator"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reviewed_at", models.DateTimeField(blank=True, null=True)),
                ("decline_reason", models.CharField(blank=True, max_length=255)),
                (
                    "error_code",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no_seats", "no seat is free"),
                            ("no_codes", "no code is free"),
                            ("plan_inactive", "the plan is not active"),
                            ("plan_expired", "the plan has ended"),
                            ("provider_unavailable", "nobody gave a code"),
                            ("internal", "an unexpected error, which is logged"),
                        ],
                        max_length=32,
                    ),
                ),
                ("grant_attempts", models.PositiveSmallIntegerField(default=0)),
                ("unlink_requested", models.BooleanField(default=False)),
                (
                    "unlink_result",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("done", "unlinked"),
                            ("holds_license", "not unlinked: holds a license"),
                            ("failed", "failed, tried again"),
                        ],
                        max_length=16,
                    ),
                ),
                ("idempotency_key", models.CharField(blank=True, max_length=255, null=True)),
                ("digest_sent_at", models.DateTimeField(blank=True, null=True)),
                ("already_had_license", models.BooleanField(default=False)),
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
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="licenses.customer",
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
                    "license",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="licenses.license",
                    ),
                ),
                (
                    "reviewer",
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
                    "subscription_plan",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="licenses.subscriptionplan",
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
                "verbose_name": "historical license request",
                "verbose_name_plural": "historical license requests",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalSubsidyRequestCustomerConfiguration",
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
                ("subsidy_requests_enabled", models.BooleanField(default=False)),
                (
                    "subsidy_type",
                    models.CharField(
                        blank=True,
                        choices=[("license", "licenses"), ("coupon", "coupon codes")],
                        max_length=32,
                        null=True,
                    ),
                ),
                (
                    "shows_contacts",
                    models.BooleanField(
                        default=True, verbose_name="learners see the administrators' addresses"
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
                    "changed_by",
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
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="licenses.customer",
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
            ],
            options={
                "verbose_name": "historical configuration of requests",
                "verbose_name_plural": "historical configurations of requests",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="LicenseRequest",
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
                ("course_id", models.CharField(blank=True, max_length=128)),
                ("course_title", models.CharField(blank=True, max_length=255)),
                ("course_partners", models.JSONField(blank=True, default=list)),
                (
                    "reason",
                    models.TextField(
                        blank=True,
                        validators=[django.core.validators.MaxLengthValidator(1000)],
                        verbose_name="why the learner asks",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "waiting for a decision"),
                            ("approved", "approved, about to be granted"),
                            ("fulfilled", "granted"),
                            ("declined", "declined"),
                            ("cancelled", "cancelled by the learner"),
                            ("error", "approved, but could not be granted"),
                            ("expired", "expired unanswered"),
                        ],
                        default="requested",
                        max_length=25,
                    ),
                ),
                ("state_changed_at", models.DateTimeField()),
                (
                    "decision_source",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("learner", "its learner"),
                            ("admin_api", "an administrator, by the API"),
                            ("admin_page", "an administrator, on the customer's page"),
                            ("django_admin", "staff"),
                            ("type_change", "the customer offers something else now"),
                            ("expiry", "its time was over"),
                            ("command", "an operator"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reviewed_at", models.DateTimeField(blank=True, null=True)),
                ("decline_reason", models.CharField(blank=True, max_length=255)),
                (
                    "error_code",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no_seats", "no seat is free"),
                            ("no_codes", "no code is free"),
                            ("plan_inactive", "the plan is not active"),
                            ("plan_expired", "the plan has ended"),
                            ("provider_unavailable", "nobody gave a code"),
                            ("internal", "an unexpected error, which is logged"),
                        ],
                        max_length=32,
                    ),
                ),
                ("grant_attempts", models.PositiveSmallIntegerField(default=0)),
                ("unlink_requested", models.BooleanField(default=False)),
                (
                    "unlink_result",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("done", "unlinked"),
                            ("holds_license", "not unlinked: holds a license"),
                            ("failed", "failed, tried again"),
                        ],
                        max_length=16,
                    ),
                ),
                ("idempotency_key", models.CharField(blank=True, max_length=255, null=True)),
                ("digest_sent_at", models.DateTimeField(blank=True, null=True)),
                ("already_had_license", models.BooleanField(default=False)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="licenses.customer",
                    ),
                ),
                (
                    "license",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="licenses.license",
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "subscription_plan",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="licenses.subscriptionplan",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "license request",
                "permissions": [("review_subsidy_requests", "Can approve and decline requests")],
                "indexes": [
                    models.Index(
                        fields=["customer", "state", "-created"], name="license_request_queue"
                    ),
                    models.Index(fields=["user", "-created"], name="license_request_user"),
                    models.Index(fields=["-created", "-id"], name="license_request_newest"),
                    models.Index(
                        condition=models.Q(("digest_sent_at", None), ("state", "requested")),
                        fields=["customer", "created"],
                        name="license_request_undigested",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "requested",
                                    "approved",
                                    "fulfilled",
                                    "declined",
                                    "cancelled",
                                    "error",
                                    "expired",
                                ],
                            )
                        ),
                        name="license_request_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("state__in", ("approved", "fulfilled", "declined")), _negated=True
                            ),
                            ("reviewed_at__isnull", False),
                            _connector="OR",
                        ),
                        name="license_request_decided_has_date",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                (
                                    "decision_source__in",
                                    ("admin_api", "admin_page", "django_admin"),
                                ),
                                _negated=True,
                            ),
                            ("reviewer__isnull", False),
                            _connector="OR",
                        ),
                        name="license_request_reviewed_has_reviewer",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decision_source", ""), ("state", "requested")),
                            models.Q(
                                models.Q(("state", "requested"), _negated=True),
                                models.Q(("decision_source", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="license_request_decision_has_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                (
                                    "error_code__in",
                                    [
                                        "no_seats",
                                        "no_codes",
                                        "plan_inactive",
                                        "plan_expired",
                                        "provider_unavailable",
                                        "internal",
                                    ],
                                ),
                                ("state", "error"),
                            ),
                            models.Q(
                                models.Q(("state", "error"), _negated=True), ("error_code", "")
                            ),
                            _connector="OR",
                        ),
                        name="license_request_error_has_code",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("idempotency_key__isnull", False)),
                        fields=("user", "idempotency_key"),
                        name="license_request_idempotency_key_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("requested", "approved"))),
                        fields=("user", "customer"),
                        name="license_request_open_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("license__isnull", False), ("state", "fulfilled")),
                            models.Q(
                                models.Q(("state", "fulfilled"), _negated=True), ("license", None)
                            ),
                            _connector="OR",
                        ),
                        name="license_request_fulfilled_has_license",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SubsidyRequestCustomerConfiguration",
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
                ("subsidy_requests_enabled", models.BooleanField(default=False)),
                (
                    "subsidy_type",
                    models.CharField(
                        blank=True,
                        choices=[("license", "licenses"), ("coupon", "coupon codes")],
                        max_length=32,
                        null=True,
                    ),
                ),
                (
                    "shows_contacts",
                    models.BooleanField(
                        default=True, verbose_name="learners see the administrators' addresses"
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subsidy_request_configuration",
                        to="licenses.customer",
                    ),
                ),
            ],
            options={
                "verbose_name": "configuration of requests",
                "verbose_name_plural": "configurations of requests",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("subsidy_type", None),
                            ("subsidy_type__in", ["license", "coupon"]),
                            _connector="OR",
                        ),
                        name="subsidy_request_type_known",
                    )
                ],
            },
        ),
    ]
