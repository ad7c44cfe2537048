import re
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q, TextField
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.personal import ERASED, pattern_of_names, register

TEXTS = ("arguments", "counters", "reason")
PURGE_BATCH = 5_000

# From one name to the next by the index `job_run_latest`: DISTINCT ON would read every run.
LAST_OF_EACH_JOB = """
    WITH RECURSIVE last AS (
        (SELECT * FROM core_jobrun ORDER BY name, started_at DESC LIMIT 1)
        UNION ALL
        SELECT next.* FROM last CROSS JOIN LATERAL (
            SELECT * FROM core_jobrun AS run WHERE run.name > last.name
            ORDER BY name, started_at DESC LIMIT 1
        ) AS next
    )
    SELECT * FROM last
"""


class JobOutcome(models.TextChoices):
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED_ITEMS = "failed_items", _("some items failed")
    REFUSED = "refused", _("refused")
    INTERRUPTED = "interrupted", _("interrupted, run again to go on")
    CRASHED = "crashed", _("crashed")


class JobRunQuerySet(models.QuerySet["JobRun"]):
    def close_abandoned(self, name: str, *, at: datetime) -> int:
        """Close what a killed process left open. Only the holder of the job's lock may ask."""
        return self.filter(name=name, outcome=JobOutcome.RUNNING).update(
            outcome=JobOutcome.CRASHED, ended_at=at
        )

    def last_of_each_job(self) -> "models.query.RawQuerySet[JobRun]":
        """The newest run of each command, by name."""
        return self.raw(LAST_OF_EACH_JOB)

    def started_before(self, at: datetime) -> "JobRunQuerySet":
        return self.filter(started_at__lt=at)

    def purge(self, *, before: datetime) -> int:
        """Delete one batch of what started before an instant; counts it, 0 when nothing is left."""
        # Runs are numbered as they start: the old ones are found without an index of their own.
        batch = self.started_before(before).order_by("pk").values("pk")[:PURGE_BATCH]
        return self.filter(pk__in=batch).delete()[0]

    def forget(self, *names: str) -> int:
        """Erase these names of a person from what the runs recorded; counts the runs changed."""
        pattern = pattern_of_names(*names)
        if not pattern:
            return 0
        runs = list(
            self.annotate(texts=Concat(*(Cast(name, TextField()) for name in TEXTS)))
            .filter(texts__iregex=pattern)
            .order_by("pk")
            .select_for_update(no_key=True)
        )
        person = re.compile(pattern, re.IGNORECASE)
        for run in runs:
            for name in TEXTS:
                setattr(run, name, _without(person, getattr(run, name)))
        return self.bulk_update(runs, TEXTS)


class JobRun(models.Model):
    """One real run of an operator's command. A dry run leaves none."""

    name = models.CharField(_("command"), max_length=100)
    arguments = models.JSONField(_("arguments"), default=dict, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    system_user = models.CharField(_("operating system's user"), max_length=100)
    reason = models.TextField(_("reason"), blank=True)
    judged_at = models.DateTimeField(_("judged as of"))
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    outcome = models.CharField(
        _("outcome"), max_length=20, choices=JobOutcome, default=JobOutcome.RUNNING
    )
    counters = models.JSONField(_("counters"), default=dict, blank=True)

    objects = JobRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")
        default_permissions = ("view",)
        indexes = [models.Index(fields=["name", "-started_at"], name="job_run_latest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=JobOutcome.values),
                name="job_run_outcome_known",
            ),
            models.CheckConstraint(
                condition=Q(outcome=JobOutcome.RUNNING, ended_at=None)
                | (~Q(outcome=JobOutcome.RUNNING) & Q(ended_at__isnull=False)),
                name="job_run_ends_with_an_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.started_at:%Y-%m-%d %H:%M}"


def _without(person: re.Pattern[str], value: Any) -> Any:
    """`value` with the person erased from every text in it; keys are ours and stay."""
    match value:
        case str():
            return person.sub(ERASED, value)
        case list():
            return [_without(person, item) for item in value]
        case dict():
            return {key: _without(person, item) for key, item in value.items()}
    return value


register.holds_personal(
    core__JobRun__arguments="erased by name; options that name a person are not kept at all",
    core__JobRun__reason="erased by name",
    core__JobRun__counters="erased by name",
)
register.holds_nothing_personal(
    core__JobRun__name="the name of a command",
    core__JobRun__system_user="an account of the operating system",
)
