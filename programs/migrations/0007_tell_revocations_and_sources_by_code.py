"""The portal's own revocations were told by their reason; staff's certificates not at all.

History says the same as the rows that it is the history of.
"""

from django.db import migrations

REVOCATIONS = """
    UPDATE {table} SET revocation_reason = '', revocation_kind = 'not_complete'
    WHERE status = 'revoked' AND source = 'computed' AND revocation_reason = 'not_complete';
    UPDATE {table} SET revocation_kind = 'decided'
    WHERE status = 'revoked' AND revocation_kind = '';
"""
REVOCATIONS_BACK = """
    UPDATE {table} SET revocation_reason = 'not_complete' WHERE revocation_kind = 'not_complete';
    UPDATE {table} SET revocation_kind = '';
"""
# Made in the admin, and never touched by anything else.
SOURCES = """
    UPDATE {table} SET source = 'staff'
    WHERE source = 'lms' AND id IN (
        SELECT id FROM programs_historicalcoursecertificate GROUP BY id
        HAVING bool_and(cause = 'admin') AND bool_or(history_type = '+')
    );
"""
SOURCES_BACK = "UPDATE {table} SET source = 'lms' WHERE source = 'staff';"

PROGRAM = ("programs_programcertificate", "programs_historicalprogramcertificate")
COURSE = ("programs_coursecertificate", "programs_historicalcoursecertificate")


def sql(statements, tables):
    return "".join(statements.format(table=table) for table in tables)


class Migration(migrations.Migration):
    dependencies = [("programs", "0006_revocations_have_kinds")]

    operations = [
        migrations.RunSQL(sql(REVOCATIONS, PROGRAM), sql(REVOCATIONS_BACK, PROGRAM)),
        migrations.RunSQL(sql(SOURCES, COURSE), sql(SOURCES_BACK, COURSE)),
    ]
