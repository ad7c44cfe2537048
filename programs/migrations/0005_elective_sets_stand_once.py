from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("programs", "0004_number_elective_sets")]

    operations = [
        migrations.AddConstraint(
            model_name="requirementgroup",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "core"), ("number", None)),
                    models.Q(("kind", "electives"), ("number__isnull", False)),
                    _connector="OR",
                ),
                name="requirement_group_sets_have_numbers",
            ),
        ),
        migrations.AddConstraint(
            model_name="requirementgroup",
            constraint=models.UniqueConstraint(
                fields=("version", "number"), name="requirements_version_has_set_once"
            ),
        ),
    ]
