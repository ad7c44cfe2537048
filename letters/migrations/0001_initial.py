import uuid

import django.contrib.postgres.fields
import django.core.serializers.json
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
        ("programs", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="HistoricalProgramLetterConfiguration",
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
                    "breaker_limit",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How many letters the portal may issue, or suspend, by itself within 24 hours; beyond that staff must release them. Empty: the portal's default.",
                        null=True,
                        verbose_name="breaker",
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
                    "program",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="programs.program",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical program letter configuration",
                "verbose_name_plural": "historical program letter configurations",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="LetterValidationRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("plan", "validation plan"),
                            ("issue", "issue"),
                            ("revalidate", "revalidation"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("running", "running"),
                            ("aborted", "aborted"),
                            ("done", "done"),
                            ("applying", "being applied"),
                            ("applied", "applied"),
                            ("rolled_back", "rolled back"),
                            ("holding", "holds letters for release"),
                            ("released", "released"),
                        ],
                        default="running",
                        max_length=16,
                    ),
                ),
                (
                    "against",
                    models.CharField(
                        choices=[
                            ("issue", "those in force when it was issued"),
                            ("current", "those in force now"),
                        ],
                        default="issue",
                        max_length=16,
                    ),
                ),
                ("as_of", models.DateTimeField()),
                (
                    "scope",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                    ),
                ),
                ("ruleset_version", models.PositiveSmallIntegerField(default=1)),
                ("counters", models.JSONField(blank=True, default=dict)),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("approval_reason", models.TextField(blank=True)),
                (
                    "approved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "run over letters",
                "verbose_name_plural": "runs over letters",
                "ordering": ["-started_at"],
            },
        ),
        migrations.CreateModel(
            name="ProgramLetterConfiguration",
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
                    "breaker_limit",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How many letters the portal may issue, or suspend, by itself within 24 hours; beyond that staff must release them. Empty: the portal's default.",
                        null=True,
                        verbose_name="breaker",
                    ),
                ),
                (
                    "program",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letter_configuration",
                        to="programs.program",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProgramLetterTemplate",
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
                ("revision", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("published", "published"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="draft",
                        max_length=16,
                    ),
                ),
                ("header", models.TextField(blank=True)),
                ("text", models.TextField(blank=True)),
                ("footer", models.TextField(blank=True)),
                ("logo", models.FileField(blank=True, upload_to="letters/logos/")),
                ("published_at", models.DateTimeField(blank=True, null=True)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                (
                    "program",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letter_templates",
                        to="programs.program",
                    ),
                ),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["program", "revision"],
                "permissions": [
                    ("publish_letter_template", "Can publish and withdraw letter templates")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("program", "revision"), name="letter_template_revision_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "published")),
                        fields=("program",),
                        name="letter_template_one_published",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status", "draft"),
                            models.Q(
                                ("published_at__isnull", False),
                                models.Q(("text", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="letter_template_published_with_text_and_date",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ProgramLetter",
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
                ("version", models.PositiveIntegerField(default=1)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("active", "active"),
                            ("suspended", "suspended"),
                            ("revoked", "revoked"),
                        ],
                        max_length=16,
                    ),
                ),
                ("state_reason", models.CharField(blank=True, max_length=300)),
                ("state_note", models.TextField(blank=True)),
                ("state_changed_at", models.DateTimeField()),
                ("issued_at", models.DateTimeField(blank=True, null=True)),
                (
                    "issued_via",
                    models.CharField(
                        choices=[
                            ("command", "by a command"),
                            ("queue", "by the queue, after a change"),
                            ("import", "imported"),
                        ],
                        max_length=16,
                    ),
                ),
                ("ruleset_version", models.PositiveSmallIntegerField(default=1)),
                ("evidence", models.JSONField(blank=True, default=dict)),
                ("recipient_name", models.CharField(blank=True, max_length=255)),
                ("first_visible_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("revocation_reason", models.TextField(blank=True)),
                ("reinstated_at", models.DateTimeField(blank=True, null=True)),
                (
                    "issue_run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="issued_letters",
                        to="letters.lettervalidationrun",
                    ),
                ),
                (
                    "issued_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "program",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letters",
                        to="programs.program",
                    ),
                ),
                (
                    "reinstated_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "requirements_version",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="programs.programrequirementsversion",
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "state_changed_by",
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
                        related_name="program_letters",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "content_revision",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letters",
                        to="letters.programlettertemplate",
                    ),
                ),
            ],
            options={
                "verbose_name": "program letter",
                "permissions": [
                    ("revoke_letter", "Can revoke letters"),
                    ("reinstate_letter", "Can reinstate letters"),
                    ("release_letters", "Can release what a breaker holds"),
                    ("apply_letter_plan", "Can apply and roll back validation plans"),
                ],
                "indexes": [models.Index(fields=["program", "state"], name="letter_program_state")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "program"), name="letter_once_per_learner_and_program"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["pending", "active", "suspended", "revoked"])
                        ),
                        name="letter_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "revoked"), _negated=True),
                            models.Q(
                                ("revoked_at__isnull", False),
                                models.Q(("revocation_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="letter_revoked_with_date_and_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "active"), _negated=True),
                            ("issued_at__isnull", False),
                            _connector="OR",
                        ),
                        name="letter_active_has_issue_date",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "active"), _negated=True),
                            ("issued_via", "import"),
                            models.Q(
                                ("requirements_version__isnull", False),
                                models.Q(("evidence", {}), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="letter_active_has_grounds",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LetterSignatory",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("name", models.CharField(max_length=255)),
                ("title_line_1", models.CharField(max_length=255)),
                ("title_line_2", models.CharField(blank=True, max_length=255)),
                ("signature_image", models.FileField(blank=True, upload_to="letters/signatures/")),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signatories",
                        to="letters.programlettertemplate",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "signatories",
                "ordering": ["position"],
            },
        ),
        migrations.CreateModel(
            name="LetterRevalidation",
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
                ("due_at", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                (
                    "program",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letter_revalidations",
                        to="programs.program",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letter_revalidations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "held_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="held_revalidations",
                        to="letters.lettervalidationrun",
                    ),
                ),
            ],
            options={
                "verbose_name": "letter to look at again",
                "verbose_name_plural": "letters to look at again",
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)),
                        fields=["due_at"],
                        name="letter_revalidation_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "program"), name="letter_revalidation_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LetterWaiver",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=300, verbose_name="check")),
                ("reason", models.TextField()),
                ("granted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                (
                    "granted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "program",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letter_waivers",
                        to="programs.program",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letter_waivers",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "withdrawn_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [("waive_letter_check", "Can waive checks of letters")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("withdrawn_at", None)),
                        fields=("user", "program", "code"),
                        name="letter_waiver_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("code__in", ("requirements_defined", "learner_identity")),
                            _negated=True,
                        ),
                        name="letter_waiver_allowed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="letter_waiver_has_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at", None),
                            ("expires_at__gt", models.F("granted_at")),
                            _connector="OR",
                        ),
                        name="letter_waiver_expires_after_grant",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LetterValidationResult",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("letter_version", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("active", "active"),
                            ("suspended", "suspended"),
                            ("revoked", "revoked"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("valid", "valid"),
                            ("invalid", "invalid"),
                            ("indeterminate", "indeterminate"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "failed_checks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=300), default=list, size=None
                    ),
                ),
                (
                    "planned_action",
                    models.CharField(
                        choices=[
                            ("none", "nothing"),
                            ("suspend", "suspend"),
                            ("lift", "lift the suspension"),
                            ("reissue", "issue again with a true date"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "not applied"),
                            ("changed", "changed"),
                            ("skipped", "skipped: changed since the plan"),
                            ("failed", "failed"),
                            ("restored", "put back"),
                            ("kept", "not put back: touched since"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("applied_version", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="results",
                        to="letters.lettervalidationrun",
                    ),
                ),
                (
                    "letter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="results",
                        to="letters.programletter",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(
                            ("outcome", ""), models.Q(("planned_action", "none"), _negated=True)
                        ),
                        fields=["run", "letter"],
                        name="letter_result_to_apply",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("run", "letter"), name="letter_result_once_per_run"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LetterEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("letter_version", models.PositiveIntegerField()),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("issued", "issued"),
                            ("held", "held for release by staff"),
                            ("released", "released by staff"),
                            ("imported", "imported"),
                            ("suspended", "suspended"),
                            ("lifted", "suspension lifted"),
                            ("reissued", "issued again with a true date"),
                            ("revoked", "revoked"),
                            ("reinstated", "reinstated"),
                            ("rolled_back", "put back as it was before a run"),
                            ("retired", "withdrawn because its holder left"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "from_state",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("pending", "pending"),
                            ("active", "active"),
                            ("suspended", "suspended"),
                            ("revoked", "revoked"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "to_state",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("active", "active"),
                            ("suspended", "suspended"),
                            ("revoked", "revoked"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("note", models.TextField(blank=True)),
                ("failed_checks", models.JSONField(blank=True, default=list)),
                ("before", models.JSONField(blank=True, default=dict)),
                ("automatic", models.BooleanField(default=False)),
                ("cause", models.CharField(blank=True, max_length=100)),
                ("at", models.DateTimeField()),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="letters.lettervalidationrun",
                    ),
                ),
                (
                    "letter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="letters.programletter",
                    ),
                ),
            ],
            options={
                "verbose_name": "event of a letter",
                "ordering": ["letter", "letter_version"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("automatic", True)),
                        fields=["at"],
                        name="letter_event_automatic_at",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("letter", "letter_version"), name="letter_event_once_per_version"
                    )
                ],
            },
        ),
    ]
