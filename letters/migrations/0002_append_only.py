from django.db import migrations

# The audit is append-only (a note may be emptied when a person leaves), letters are never
# deleted, each change of a letter has its event at commit, and what was published stays.
FORWARD = """
CREATE FUNCTION letters_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is not allowed', lower(TG_OP), TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER letter_never_deleted
    BEFORE DELETE ON letters_programletter
    FOR EACH ROW EXECUTE FUNCTION letters_refuse_change();
CREATE TRIGGER letter_identity_never_changes
    BEFORE UPDATE OF uuid, user_id, program_id ON letters_programletter
    FOR EACH ROW WHEN (
        (OLD.uuid, OLD.user_id, OLD.program_id) IS DISTINCT FROM
        (NEW.uuid, NEW.user_id, NEW.program_id)
    ) EXECUTE FUNCTION letters_refuse_change();
CREATE TRIGGER letter_event_append_only
    BEFORE DELETE OR UPDATE OF letter_id, letter_version, action, from_state, to_state, reason,
        failed_checks, automatic, actor_id, cause, run_id, at
    ON letters_letterevent
    FOR EACH ROW EXECUTE FUNCTION letters_refuse_change();
CREATE TRIGGER letter_template_content_is_frozen
    BEFORE UPDATE OF program_id, revision, header, text, footer, logo
    ON letters_programlettertemplate
    FOR EACH ROW WHEN (
        OLD.status <> 'draft' AND
        (OLD.program_id, OLD.revision, OLD.header, OLD.text, OLD.footer, OLD.logo)
        IS DISTINCT FROM
        (NEW.program_id, NEW.revision, NEW.header, NEW.text, NEW.footer, NEW.logo)
    ) EXECUTE FUNCTION letters_refuse_change();
CREATE TRIGGER letter_template_published_never_deleted
    BEFORE DELETE ON letters_programlettertemplate
    FOR EACH ROW WHEN (OLD.status <> 'draft') EXECUTE FUNCTION letters_refuse_change();

CREATE FUNCTION letters_refuse_signatory_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM letters_programlettertemplate AS template
        WHERE template.status <> 'draft' AND template.id = CASE TG_OP
            WHEN 'INSERT' THEN NEW.template_id ELSE OLD.template_id END
    ) THEN
        RAISE EXCEPTION 'the signatories of a published letter template do not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER letter_signatory_is_frozen
    BEFORE INSERT OR UPDATE OR DELETE ON letters_lettersignatory
    FOR EACH ROW EXECUTE FUNCTION letters_refuse_signatory_change();

CREATE FUNCTION letters_require_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (TG_OP = 'UPDATE' AND NEW.version <> OLD.version + 1) OR NOT EXISTS (
        SELECT FROM letters_programletter AS letter
        JOIN letters_letterevent AS event
          ON event.letter_id = letter.id AND event.letter_version = letter.version
         AND event.to_state = letter.state
        WHERE letter.id = NEW.id
    ) THEN
        RAISE EXCEPTION 'letter % changed without its event', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'letter_change_has_event';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER letter_created_with_event
    AFTER INSERT ON letters_programletter DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION letters_require_event();
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

CREATE FUNCTION letters_require_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM letters_programletter
        WHERE id = NEW.letter_id AND version < NEW.letter_version
    ) THEN
        RAISE EXCEPTION 'event of a change that letter % never had', NEW.letter_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'letter_event_has_change';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER letter_event_has_change
    AFTER INSERT ON letters_letterevent DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION letters_require_change();
"""

BACKWARD = """
DROP TRIGGER letter_event_has_change ON letters_letterevent;
DROP FUNCTION letters_require_change;
DROP TRIGGER letter_changed_with_event ON letters_programletter;
DROP TRIGGER letter_created_with_event ON letters_programletter;
DROP FUNCTION letters_require_event;
DROP TRIGGER letter_signatory_is_frozen ON letters_lettersignatory;
DROP FUNCTION letters_refuse_signatory_change;
DROP TRIGGER letter_template_published_never_deleted ON letters_programlettertemplate;
DROP TRIGGER letter_template_content_is_frozen ON letters_programlettertemplate;
DROP TRIGGER letter_event_append_only ON letters_letterevent;
DROP TRIGGER letter_identity_never_changes ON letters_programletter;
DROP TRIGGER letter_never_deleted ON letters_programletter;
DROP FUNCTION letters_refuse_change;
"""


class Migration(migrations.Migration):
    dependencies = [("letters", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
