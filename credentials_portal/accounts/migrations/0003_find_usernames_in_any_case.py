from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    # An index that is built concurrently is built outside of a transaction.
    atomic = False

    dependencies = [
        ("accounts", "0002_retire_permission"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(Lower("username"), name="user_username_lower"),
        ),
    ]
