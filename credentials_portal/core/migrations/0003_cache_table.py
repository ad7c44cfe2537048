from django.db import migrations


class Migration(migrations.Migration):
    """The table of Django's database cache, used where no Redis is configured."""

    dependencies = [("core", "0002_job_runs")]

    operations = [
        migrations.RunSQL(
            sql="""
                CREATE TABLE portal_cache (
                    cache_key varchar(255) PRIMARY KEY,
                    value text NOT NULL,
                    expires timestamptz NOT NULL
                );
                CREATE INDEX portal_cache_expires ON portal_cache (expires);
            """,
            reverse_sql="DROP TABLE portal_cache",
        )
    ]
