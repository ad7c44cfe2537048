from django.db import migrations

# Requirements are never edited: a change makes a new version. A version's `group_count` and a
# group's `course_count` are compared with their members at commit: nothing joins a version later,
# and no group can ask for more courses than it has.
FORWARD = """
CREATE FUNCTION programs_refuse_requirement_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'requirements are immutable: define a new version'
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER requirements_version_immutable
    BEFORE UPDATE OF program_id, number, effective_from, group_count OR DELETE
    ON programs_programrequirementsversion
    FOR EACH ROW EXECUTE FUNCTION programs_refuse_requirement_change();
CREATE TRIGGER requirement_group_immutable
    BEFORE UPDATE OR DELETE ON programs_requirementgroup
    FOR EACH ROW EXECUTE FUNCTION programs_refuse_requirement_change();
CREATE TRIGGER requirement_course_immutable
    BEFORE UPDATE OR DELETE ON programs_requirementcourse
    FOR EACH ROW EXECUTE FUNCTION programs_refuse_requirement_change();

CREATE FUNCTION programs_check_requirement_group() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint := CASE TG_TABLE_NAME WHEN 'programs_requirementgroup' THEN NEW.id ELSE
        (to_jsonb(NEW) ->> 'group_id')::bigint END;
BEGIN
    IF EXISTS (
        SELECT FROM programs_requirementgroup AS groups
        WHERE groups.id = checked AND (
            groups.course_count <> (
                SELECT count(*) FROM programs_requirementcourse WHERE group_id = checked
            ) OR EXISTS (
                SELECT FROM programs_requirementcourse AS member
                WHERE member.group_id = checked AND member.version_id <> groups.version_id
            )
        )
    ) THEN
        RAISE EXCEPTION 'the courses of requirement group % are not those it counts', checked
            USING ERRCODE = 'check_violation', CONSTRAINT = 'requirement_group_counts_its_courses';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION programs_check_requirements_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint := CASE TG_TABLE_NAME WHEN 'programs_requirementgroup' THEN
        (to_jsonb(NEW) ->> 'version_id')::bigint ELSE NEW.id END;
BEGIN
    IF EXISTS (
        SELECT FROM programs_programrequirementsversion AS version
        WHERE version.id = checked AND version.group_count <> (
            SELECT count(*) FROM programs_requirementgroup WHERE version_id = checked
        )
    ) THEN
        RAISE EXCEPTION 'the groups of requirements version % are not those it counts', checked
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'requirements_version_counts_its_groups';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER requirements_version_counts_its_groups
    AFTER INSERT ON programs_programrequirementsversion DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION programs_check_requirements_version();
CREATE CONSTRAINT TRIGGER requirement_group_is_counted
    AFTER INSERT ON programs_requirementgroup DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION programs_check_requirements_version();
CREATE CONSTRAINT TRIGGER requirement_group_counts_its_courses
    AFTER INSERT ON programs_requirementgroup DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION programs_check_requirement_group();
CREATE CONSTRAINT TRIGGER requirement_course_is_counted
    AFTER INSERT ON programs_requirementcourse DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION programs_check_requirement_group();
"""

BACKWARD = """
DROP TRIGGER requirement_group_is_counted ON programs_requirementgroup;
DROP TRIGGER requirements_version_counts_its_groups ON programs_programrequirementsversion;
DROP FUNCTION programs_check_requirements_version;
DROP TRIGGER requirement_course_is_counted ON programs_requirementcourse;
DROP TRIGGER requirement_group_counts_its_courses ON programs_requirementgroup;
DROP FUNCTION programs_check_requirement_group;
DROP TRIGGER requirement_course_immutable ON programs_requirementcourse;
DROP TRIGGER requirement_group_immutable ON programs_requirementgroup;
DROP TRIGGER requirements_version_immutable ON programs_programrequirementsversion;
DROP FUNCTION programs_refuse_requirement_change;
"""


class Migration(migrations.Migration):
    dependencies = [("programs", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
