import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0001_outbox"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="JobRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="command")),
                ("arguments", models.JSONField(blank=True, default=dict, verbose_name="arguments")),
                (
                    "system_user",
                    models.CharField(max_length=100, verbose_name="operating system's user"),
                ),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("judged_at", models.DateTimeField(verbose_name="judged as of")),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended at")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("running", "running"),
                            ("done", "done"),
                            ("failed_items", "some items failed"),
                            ("refused", "refused"),
                            ("interrupted", "interrupted, run again to go on"),
                            ("crashed", "crashed"),
                        ],
                        default="running",
                        max_length=20,
                        verbose_name="outcome",
                    ),
                ),
                ("counters", models.JSONField(blank=True, default=dict, verbose_name="counters")),
            ],
            options={
                "verbose_name": "job run",
                "verbose_name_plural": "job runs",
                "default_permissions": ("view",),
            },
        ),
        migrations.AddField(
            model_name="jobrun",
            name="actor",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="actor",
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(fields=["name", "-started_at"], name="job_run_latest"),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "outcome__in",
                        ["running", "done", "failed_items", "refused", "interrupted", "crashed"],
                    )
                ),
                name="job_run_outcome_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("outcome", "running")),
                    models.Q(
                        models.Q(("outcome", "running"), _negated=True), ("ended_at__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="job_run_ends_with_an_outcome",
            ),
        ),
    ]
