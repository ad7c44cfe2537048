from django.db import migrations, models

SOURCES = [
    ("computed", "computed by the portal"),
    ("lms", "sent by the LMS"),
    ("staff", "given by staff"),
    ("import", "imported"),
]
KINDS = [
    ("not_complete", "the portal: the program is not complete any more"),
    ("decided", "a decision, with its reason"),
]


class Migration(migrations.Migration):
    dependencies = [("programs", "0005_elective_sets_stand_once")]

    operations = [
        *(
            migrations.AddField(
                model_name=model,
                name="revocation_kind",
                field=models.CharField(
                    blank=True,
                    choices=KINDS,
                    default="",
                    max_length=16,
                    verbose_name="why it was revoked",
                ),
                preserve_default=False,
            )
            for model in ("programcertificate", "historicalprogramcertificate")
        ),
        *(
            migrations.AlterField(
                model_name=model,
                name="source",
                field=models.CharField(choices=SOURCES, default="lms", max_length=16),
            )
            for model in ("coursecertificate", "historicalcoursecertificate")
        ),
        *(
            migrations.AlterField(
                model_name=model,
                name="source",
                field=models.CharField(choices=SOURCES, max_length=16),
            )
            for model in ("programcertificate", "historicalprogramcertificate")
        ),
    ]
