import datetime
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
    ]

    operations = [
        migrations.CreateModel(
            name="Customer",
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
                ("uuid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("slug", models.SlugField(max_length=128, unique=True)),
                ("name", models.CharField(max_length=255)),
            ],
            options={
                "ordering": ["name"],
                "permissions": [
                    ("manage_any_customer", "Can act as an administrator of every customer")
                ],
            },
        ),
        migrations.CreateModel(
            name="PlanType",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("label", models.CharField(max_length=128, unique=True)),
                ("description", models.CharField(blank=True, max_length=255)),
                ("is_paid_subscription", models.BooleanField(default=True)),
                ("ns_id_required", models.BooleanField(default=True)),
                ("sf_id_required", models.BooleanField(default=True)),
                ("internal_use_only", models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name="CustomerAgreement",
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
                ("uuid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("default_enterprise_catalog_uuid", models.UUIDField(blank=True, null=True)),
                ("disable_expiration_notifications", models.BooleanField(default=False)),
                ("disable_onboarding_notifications", models.BooleanField(default=False)),
                (
                    "license_duration_before_purge",
                    models.DurationField(
                        default=datetime.timedelta(days=90),
                        help_text="How long personal data stays after a plan ended or a license was revoked.",
                    ),
                ),
                (
                    "enable_auto_applied_subscriptions_with_universal_link",
                    models.BooleanField(default=False),
                ),
                ("has_custom_license_expiration_messaging", models.BooleanField(default=False)),
                ("modal_header_text", models.CharField(blank=True, max_length=512)),
                ("expired_subscription_modal_messaging", models.TextField(blank=True)),
                ("button_label_in_modal", models.CharField(blank=True, max_length=255)),
                ("url_for_button_in_modal", models.URLField(blank=True, max_length=512)),
                (
                    "unlink_expired_enabled",
                    models.BooleanField(
                        default=False, verbose_name="unlink learners of expired plans"
                    ),
                ),
                (
                    "unlink_after_days",
                    models.PositiveIntegerField(
                        default=90, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                ("unlink_is_relinkable", models.BooleanField(default=True)),
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="agreement",
                        to="licenses.customer",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("unlink_after_days__gte", 1)),
                        name="agreement_unlinks_after_a_day_or_more",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                models.Q(("modal_header_text", ""), _negated=True),
                                models.Q(
                                    ("expired_subscription_modal_messaging", ""), _negated=True
                                ),
                                models.Q(("button_label_in_modal", ""), _negated=True),
                                models.Q(("url_for_button_in_modal", ""), _negated=True),
                                ("has_custom_license_expiration_messaging", True),
                            ),
                            models.Q(
                                ("button_label_in_modal", ""),
                                ("expired_subscription_modal_messaging", ""),
                                ("has_custom_license_expiration_messaging", False),
                                ("modal_header_text", ""),
                                ("url_for_button_in_modal", ""),
                            ),
                            _connector="OR",
                        ),
                        name="agreement_messaging_all_or_nothing",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CustomerLearner",
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
                    "user_email",
                    models.EmailField(blank=True, help_text="In lower case.", max_length=254),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("learner", "learner"), ("admin", "administrator")],
                        default="learner",
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("linked", "linked"), ("unlinked", "unlinked")],
                        default="linked",
                        max_length=16,
                    ),
                ),
                ("is_relinkable", models.BooleanField(default=True)),
                ("linked_at", models.DateTimeField()),
                ("unlinked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="learners",
                        to="licenses.customer",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="customer_links",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["user_email"], name="customer_learner_email")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("user__isnull", False)),
                        fields=("customer", "user", "role"),
                        name="customer_learner_once_by_user",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("user_email", ""), _negated=True),
                        fields=("customer", "user_email", "role"),
                        name="customer_learner_once_by_email",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status", "linked"),
                            models.Q(("status", "unlinked"), ("unlinked_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="customer_learner_unlinked_with_date",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalCustomer",
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
                ("uuid", models.UUIDField(db_index=True, default=uuid.uuid4)),
                ("slug", models.SlugField(max_length=128)),
                ("name", models.CharField(max_length=255)),
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
            ],
            options={
                "verbose_name": "historical customer",
                "verbose_name_plural": "historical customers",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalCustomerAgreement",
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
                ("uuid", models.UUIDField(db_index=True, default=uuid.uuid4)),
                ("default_enterprise_catalog_uuid", models.UUIDField(blank=True, null=True)),
                ("disable_expiration_notifications", models.BooleanField(default=False)),
                ("disable_onboarding_notifications", models.BooleanField(default=False)),
                (
                    "license_duration_before_purge",
                    models.DurationField(
                        default=datetime.timedelta(days=90),
                        help_text="How long personal data stays after a plan ended or a license was revoked.",
                    ),
                ),
                (
                    "enable_auto_applied_subscriptions_with_universal_link",
                    models.BooleanField(default=False),
                ),
                ("has_custom_license_expiration_messaging", models.BooleanField(default=False)),
                ("modal_header_text", models.CharField(blank=True, max_length=512)),
                ("expired_subscription_modal_messaging", models.TextField(blank=True)),
                ("button_label_in_modal", models.CharField(blank=True, max_length=255)),
                ("url_for_button_in_modal", models.URLField(blank=True, max_length=512)),
                (
                    "unlink_expired_enabled",
                    models.BooleanField(
                        default=False, verbose_name="unlink learners of expired plans"
                    ),
                ),
                (
                    "unlink_after_days",
                    models.PositiveIntegerField(
                        default=90, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                ("unlink_is_relinkable", models.BooleanField(default=True)),
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
                "verbose_name": "historical customer agreement",
                "verbose_name_plural": "historical customer agreements",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalCustomerLearner",
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
                    "user_email",
                    models.EmailField(blank=True, help_text="In lower case.", max_length=254),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("learner", "learner"), ("admin", "administrator")],
                        default="learner",
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("linked", "linked"), ("unlinked", "unlinked")],
                        default="linked",
                        max_length=16,
                    ),
                ),
                ("is_relinkable", models.BooleanField(default=True)),
                ("linked_at", models.DateTimeField()),
                ("unlinked_at", models.DateTimeField(blank=True, null=True)),
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
                "verbose_name": "historical customer learner",
                "verbose_name_plural": "historical customer learners",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="License",
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
                ("uuid", models.UUIDField(default=uuid.uuid4, unique=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("activated", "activated"),
                            ("assigned", "assigned"),
                            ("unassigned", "unassigned"),
                            ("revoked", "revoked"),
                        ],
                        default="unassigned",
                        max_length=25,
                    ),
                ),
                (
                    "user_email",
                    models.EmailField(blank=True, max_length=254, verbose_name="e-mail address"),
                ),
                (
                    "lms_user_id",
                    models.PositiveBigIntegerField(
                        blank=True, null=True, verbose_name="LMS user id"
                    ),
                ),
                ("activation_key", models.UUIDField(blank=True, null=True)),
                ("assigned_date", models.DateTimeField(blank=True, null=True)),
                ("last_remind_date", models.DateTimeField(blank=True, null=True)),
                ("activation_date", models.DateTimeField(blank=True, null=True)),
                ("revoked_date", models.DateTimeField(blank=True, null=True)),
                ("auto_applied", models.BooleanField(blank=True, null=True)),
                ("source_request_uuid", models.UUIDField(blank=True, null=True, unique=True)),
                (
                    "renewed_to",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="renewed_from",
                        to="licenses.license",
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("assign_license", "Can assign licenses and remind their learners"),
                    ("revoke_license", "Can revoke licenses"),
                    ("process_expiry", "Can process expiry, renewals and unlinking"),
                ],
            },
        ),
        migrations.CreateModel(
            name="LicenseEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("event_name", models.CharField(max_length=255)),
                ("at", models.DateTimeField()),
                ("cause", models.CharField(blank=True, max_length=100)),
                (
                    "license",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="licenses.license",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            (
                                "event_name__in",
                                (
                                    "edx.server.license-manager.expired.license.unlinked",
                                    "edx.server.license-manager.license-lifecycle.expired",
                                ),
                            )
                        ),
                        fields=("license", "event_name"),
                        name="license_marker_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalProduct",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                ("cause", models.CharField(blank=True, max_length=100)),
                ("name", models.CharField(max_length=128)),
                ("description", models.CharField(blank=True, max_length=255)),
                ("salesforce_product_id", models.CharField(blank=True, max_length=255)),
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
                    "plan_type",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="licenses.plantype",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical product",
                "verbose_name_plural": "historical products",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=128)),
                ("description", models.CharField(blank=True, max_length=255)),
                ("salesforce_product_id", models.CharField(blank=True, max_length=255)),
                (
                    "plan_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="products",
                        to="licenses.plantype",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HistoricalSubscriptionPlan",
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
                ("uuid", models.UUIDField(db_index=True, default=uuid.uuid4)),
                ("title", models.CharField(max_length=128)),
                ("start_date", models.DateTimeField()),
                (
                    "expiration_date",
                    models.DateTimeField(help_text="The first instant that is not covered."),
                ),
                ("expiration_processed", models.BooleanField(default=False)),
                ("enterprise_catalog_uuid", models.UUIDField(blank=True, null=True)),
                ("is_active", models.BooleanField(default=False)),
                ("is_revocation_cap_enabled", models.BooleanField(default=False)),
                (
                    "revoke_max_percentage",
                    models.PositiveSmallIntegerField(
                        default=5, validators=[django.core.validators.MaxValueValidator(100)]
                    ),
                ),
                ("num_revocations_applied", models.PositiveIntegerField(default=0)),
                ("salesforce_opportunity_line_item", models.CharField(blank=True, max_length=18)),
                ("for_internal_use_only", models.BooleanField(default=False)),
                ("should_auto_apply_licenses", models.BooleanField(blank=True, null=True)),
                ("desired_num_licenses", models.PositiveIntegerField(blank=True, null=True)),
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
                    "customer_agreement",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="licenses.customeragreement",
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
                    "product",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="licenses.product",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical subscription plan",
                "verbose_name_plural": "historical subscription plans",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="SubscriptionPlan",
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
                ("uuid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("title", models.CharField(max_length=128)),
                ("start_date", models.DateTimeField()),
                (
                    "expiration_date",
                    models.DateTimeField(help_text="The first instant that is not covered."),
                ),
                ("expiration_processed", models.BooleanField(default=False)),
                ("enterprise_catalog_uuid", models.UUIDField(blank=True, null=True)),
                ("is_active", models.BooleanField(default=False)),
                ("is_revocation_cap_enabled", models.BooleanField(default=False)),
                (
                    "revoke_max_percentage",
                    models.PositiveSmallIntegerField(
                        default=5, validators=[django.core.validators.MaxValueValidator(100)]
                    ),
                ),
                ("num_revocations_applied", models.PositiveIntegerField(default=0)),
                ("salesforce_opportunity_line_item", models.CharField(blank=True, max_length=18)),
                ("for_internal_use_only", models.BooleanField(default=False)),
                ("should_auto_apply_licenses", models.BooleanField(blank=True, null=True)),
                ("desired_num_licenses", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "customer_agreement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="licenses.customeragreement",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plans",
                        to="licenses.product",
                    ),
                ),
            ],
            options={
                "ordering": ["-start_date", "pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("expiration_processed", False)),
                        fields=["expiration_date"],
                        name="plan_expiry_to_process",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("customer_agreement", "title"), name="plan_title_once_per_agreement"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("start_date__lt", models.F("expiration_date"))),
                        name="plan_starts_before_it_ends",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("revoke_max_percentage__lte", 100)),
                        name="plan_revocation_cap_is_percentage",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "notification_type",
                    models.CharField(
                        choices=[
                            ("limited_allocations_remaining", "few seats left"),
                            ("no_allocations_remaining", "no seat left"),
                            ("periodic_informational", "periodic"),
                        ],
                        max_length=32,
                    ),
                ),
                ("last_sent", models.DateTimeField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notifications",
                        to="licenses.customer",
                    ),
                ),
                (
                    "subscription_plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notifications",
                        to="licenses.subscriptionplan",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("subscription_plan", "notification_type"),
                        name="notification_once_per_plan",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="license",
            name="subscription_plan",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="licenses",
                to="licenses.subscriptionplan",
            ),
        ),
        migrations.CreateModel(
            name="HistoricalSubscriptionPlanRenewal",
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
                ("salesforce_opportunity_id", models.CharField(blank=True, max_length=18)),
                ("number_of_licenses", models.PositiveIntegerField()),
                ("effective_date", models.DateTimeField()),
                ("renewed_expiration_date", models.DateTimeField()),
                ("renewed_plan_title", models.CharField(blank=True, max_length=128)),
                (
                    "license_types_to_copy",
                    models.CharField(
                        choices=[
                            ("assigned_and_activated", "assigned and activated"),
                            ("activated", "activated"),
                            ("nothing", "nothing"),
                        ],
                        default="assigned_and_activated",
                        max_length=32,
                    ),
                ),
                ("disable_auto_apply_licenses", models.BooleanField(default=False)),
                ("exempt_from_batch_processing", models.BooleanField(default=False)),
                ("processed", models.BooleanField(default=False)),
                ("processed_datetime", models.DateTimeField(blank=True, null=True)),
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
                    "prior_subscription_plan",
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
                    "renewed_subscription_plan",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="licenses.subscriptionplan",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical subscription plan renewal",
                "verbose_name_plural": "historical subscription plan renewals",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalLicense",
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
                ("uuid", models.UUIDField(db_index=True, default=uuid.uuid4)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("activated", "activated"),
                            ("assigned", "assigned"),
                            ("unassigned", "unassigned"),
                            ("revoked", "revoked"),
                        ],
                        default="unassigned",
                        max_length=25,
                    ),
                ),
                (
                    "user_email",
                    models.EmailField(blank=True, max_length=254, verbose_name="e-mail address"),
                ),
                (
                    "lms_user_id",
                    models.PositiveBigIntegerField(
                        blank=True, null=True, verbose_name="LMS user id"
                    ),
                ),
                ("activation_key", models.UUIDField(blank=True, null=True)),
                ("assigned_date", models.DateTimeField(blank=True, null=True)),
                ("last_remind_date", models.DateTimeField(blank=True, null=True)),
                ("activation_date", models.DateTimeField(blank=True, null=True)),
                ("revoked_date", models.DateTimeField(blank=True, null=True)),
                ("auto_applied", models.BooleanField(blank=True, null=True)),
                ("source_request_uuid", models.UUIDField(blank=True, db_index=True, null=True)),
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
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "renewed_to",
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
            ],
            options={
                "verbose_name": "historical license",
                "verbose_name_plural": "historical licenses",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="SubscriptionPlanRenewal",
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
                ("salesforce_opportunity_id", models.CharField(blank=True, max_length=18)),
                ("number_of_licenses", models.PositiveIntegerField()),
                ("effective_date", models.DateTimeField()),
                ("renewed_expiration_date", models.DateTimeField()),
                ("renewed_plan_title", models.CharField(blank=True, max_length=128)),
                (
                    "license_types_to_copy",
                    models.CharField(
                        choices=[
                            ("assigned_and_activated", "assigned and activated"),
                            ("activated", "activated"),
                            ("nothing", "nothing"),
                        ],
                        default="assigned_and_activated",
                        max_length=32,
                    ),
                ),
                ("disable_auto_apply_licenses", models.BooleanField(default=False)),
                ("exempt_from_batch_processing", models.BooleanField(default=False)),
                ("processed", models.BooleanField(default=False)),
                ("processed_datetime", models.DateTimeField(blank=True, null=True)),
                (
                    "prior_subscription_plan",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="renewal",
                        to="licenses.subscriptionplan",
                    ),
                ),
                (
                    "renewed_subscription_plan",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="origin_renewal",
                        to="licenses.subscriptionplan",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("effective_date__lt", models.F("renewed_expiration_date"))
                        ),
                        name="renewal_takes_effect_before_it_ends",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("processed", False),
                            models.Q(
                                ("processed_datetime__isnull", False),
                                ("renewed_subscription_plan__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="renewal_processed_with_date_and_plan",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="license",
            index=models.Index(fields=["subscription_plan", "status"], name="license_plan_status"),
        ),
        migrations.AddIndex(
            model_name="license",
            index=models.Index(
                condition=models.Q(("status", "unassigned")),
                fields=["subscription_plan", "id"],
                name="license_free_seat",
            ),
        ),
        migrations.AddIndex(
            model_name="license",
            index=models.Index(
                condition=models.Q(("user_email", ""), _negated=True),
                fields=["user_email"],
                name="license_user_email",
            ),
        ),
        migrations.AddIndex(
            model_name="license",
            index=models.Index(
                condition=models.Q(("lms_user_id__isnull", False)),
                fields=["lms_user_id"],
                name="license_lms_user_id",
            ),
        ),
        migrations.AddIndex(
            model_name="license",
            index=models.Index(
                condition=models.Q(("activation_key__isnull", False)),
                fields=["activation_key"],
                name="license_activation_key",
            ),
        ),
        migrations.AddConstraint(
            model_name="license",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("status__in", ("assigned", "activated")),
                    models.Q(("user_email", ""), _negated=True),
                ),
                fields=("subscription_plan", "user_email"),
                name="license_live_once_per_email",
            ),
        ),
        migrations.AddConstraint(
            model_name="license",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("lms_user_id__isnull", False), ("status__in", ("assigned", "activated"))
                ),
                fields=("subscription_plan", "lms_user_id"),
                name="license_live_once_per_lms_user",
            ),
        ),
        migrations.AddConstraint(
            model_name="license",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["activated", "assigned", "unassigned", "revoked"])
                ),
                name="license_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="license",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "unassigned"), _negated=True),
                    models.Q(
                        ("activation_key__isnull", True),
                        ("lms_user_id__isnull", True),
                        ("source_request_uuid__isnull", True),
                        ("user_email", ""),
                    ),
                    _connector="OR",
                ),
                name="license_unassigned_has_no_learner",
            ),
        ),
        migrations.AddConstraint(
            model_name="license",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "assigned"), _negated=True),
                    models.Q(
                        models.Q(("user_email", ""), _negated=True),
                        ("activation_key__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="license_assigned_has_email_and_key",
            ),
        ),
        migrations.AddConstraint(
            model_name="license",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "activated"), _negated=True),
                    models.Q(
                        models.Q(("activation_date__isnull", False)),
                        models.Q(
                            models.Q(("user_email", ""), _negated=True),
                            ("lms_user_id__isnull", False),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="license_activated_has_date_and_learner",
            ),
        ),
        migrations.AddConstraint(
            model_name="license",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "revoked"), _negated=True),
                    ("revoked_date__isnull", False),
                    _connector="OR",
                ),
                name="license_revoked_has_date",
            ),
        ),
    ]
