from django.db import migrations

# Published texts and pictures never change, and a revision's status only moves on. A letter that
# is pinned to a text, or becomes visible, has an event of that. Templates have a history from now.
FORWARD = """
CREATE TRIGGER letter_template_content_is_frozen
    BEFORE UPDATE OF program_id, revision, header, text, footer, logo_id, published_at
    ON letters_programlettertemplate
    FOR EACH ROW WHEN (
        OLD.status <> 'draft' AND
        (OLD.program_id, OLD.revision, OLD.header, OLD.text, OLD.footer, OLD.logo_id, OLD.published_at)
        IS DISTINCT FROM
        (NEW.program_id, NEW.revision, NEW.header, NEW.text, NEW.footer, NEW.logo_id, NEW.published_at)
    ) EXECUTE FUNCTION letters_refuse_change();
CREATE TRIGGER letter_template_status_moves_on
    BEFORE UPDATE OF status ON letters_programlettertemplate
    FOR EACH ROW WHEN (
        OLD.status <> NEW.status AND
        (OLD.status, NEW.status) NOT IN (('draft', 'published'), ('published', 'withdrawn'))
    ) EXECUTE FUNCTION letters_refuse_change();
CREATE TRIGGER letter_picture_never_changes
    BEFORE UPDATE ON letters_letterpicture
    FOR EACH ROW EXECUTE FUNCTION letters_refuse_change();

DROP TRIGGER letter_changed_with_event ON letters_programletter;
CREATE CONSTRAINT TRIGGER letter_changed_with_event
    AFTER UPDATE OF state, state_reason, version, issued_at, issued_via, issue_run_id, evidence,
        requirements_version_id, ruleset_version, recipient_name, revoked_at, reinstated_at,
        content_revision_id, first_visible_at
    ON letters_programletter DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (
        (OLD.state, OLD.state_reason, OLD.version, OLD.issued_at, OLD.issued_via,
         OLD.issue_run_id, OLD.evidence, OLD.requirements_version_id, OLD.ruleset_version,
         OLD.recipient_name, OLD.revoked_at, OLD.reinstated_at,
         OLD.content_revision_id, OLD.first_visible_at) IS DISTINCT FROM
        (NEW.state, NEW.state_reason, NEW.version, NEW.issued_at, NEW.issued_via,
         NEW.issue_run_id, NEW.evidence, NEW.requirements_version_id, NEW.ruleset_version,
         NEW.recipient_name, NEW.revoked_at, NEW.reinstated_at,
         NEW.content_revision_id, NEW.first_visible_at)
    ) EXECUTE FUNCTION letters_require_event();

INSERT INTO letters_historicalprogramlettertemplate (
    id, created, modified, program_id, revision, status, header, text, footer, logo_id,
    published_at, published_by_id, withdrawn_at, withdrawn_by_id,
    cause, history_date, history_type)
SELECT id, created, modified, program_id, revision, status, header, text, footer, logo_id,
       published_at, published_by_id, withdrawn_at, withdrawn_by_id, 'migration', modified, '+'
FROM letters_programlettertemplate;
"""

BACKWARD = """
DELETE FROM letters_historicalprogramlettertemplate;

DROP TRIGGER letter_changed_with_event ON letters_programletter;
CREATE CONSTRAINT TRIGGER letter_changed_with_event
    AFTER UPDATE OF state, state_reason, version, issued_at, issued_via, issue_run_id, evidence,
        requirements_version_id, ruleset_version, recipient_name, revoked_at, reinstated_at
    ON letters_programletter DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (
        (OLD.state, OLD.state_reason, OLD.version, OLD.issued_at, OLD.issued_via,
         OLD.issue_run_id, OLD.evidence, OLD.requirements_version_id, OLD.ruleset_version,
         OLD.recipient_name, OLD.revoked_at, OLD.reinstated_at) IS DISTINCT FROM
        (NEW.state, NEW.state_reason, NEW.version, NEW.issued_at, NEW.issued_via,
         NEW.issue_run_id, NEW.evidence, NEW.requirements_version_id, NEW.ruleset_version,
         NEW.recipient_name, NEW.revoked_at, NEW.reinstated_at)
    ) EXECUTE FUNCTION letters_require_event();

DROP TRIGGER letter_picture_never_changes ON letters_letterpicture;
DROP TRIGGER letter_template_status_moves_on ON letters_programlettertemplate;
DROP TRIGGER letter_template_content_is_frozen ON letters_programlettertemplate;
"""


class Migration(migrations.Migration):
    dependencies = [("letters", "0003_letters_as_documents")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
