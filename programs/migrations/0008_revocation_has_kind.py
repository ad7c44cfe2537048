from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("programs", "0007_tell_revocations_and_sources_by_code")]

    operations = [
        migrations.AddConstraint(
            model_name="programcertificate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("revocation_kind", ""), ("status", "awarded")),
                    models.Q(
                        ("revocation_kind__in", ["not_complete", "decided"]),
                        ("status", "revoked"),
                    ),
                    _connector="OR",
                ),
                name="program_certificate_revocation_has_kind",
            ),
        ),
    ]
