from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [("retire_user", "Can erase a person, for good")],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
    ]
