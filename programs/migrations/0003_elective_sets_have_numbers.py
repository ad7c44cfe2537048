from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("programs", "0002_immutable_requirements")]

    operations = [
        migrations.AddField(
            model_name="requirementgroup",
            name="number",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
    ]
