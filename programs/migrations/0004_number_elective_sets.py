"""Elective sets get the number that their checks carried: the key of the row that they first had.

So `elective_set:<number>` goes on meaning what it meant in what was stored about that version.
A set is the same one in a later version by title and courses, else by title, else by courses.
"""

from itertools import groupby

from django.db import migrations

TRIGGER = "TRIGGER requirement_group_immutable"
IDENTITIES = (
    lambda title, courses: (title, courses),
    lambda title, _courses: title,
    lambda _title, courses: courses,
)


def number_sets(apps, schema_editor):
    groups = apps.get_model("programs", "RequirementGroup").objects.filter(kind="electives")
    rows = (
        groups.order_by("version__program_id", "version__number", "position")
        .select_related("version")
        .prefetch_related("courses")
    )
    schema_editor.execute(f"ALTER TABLE programs_requirementgroup DISABLE {TRIGGER}")
    for _program, versions in groupby(rows, key=lambda group: group.version.program_id):
        known = []
        for _version, sets in groupby(versions, key=lambda group: group.version_id):
            asked = {
                group: (group.title, frozenset(member.course_id for member in group.courses.all()))
                for group in sets
            }
            numbers = carried(asked, known)
            for group, identity in asked.items():
                number = numbers.get(group, group.pk)
                groups.filter(pk=group.pk).update(number=number)
                known.insert(0, (number, identity))
    schema_editor.execute(f"ALTER TABLE programs_requirementgroup ENABLE {TRIGGER}")


def carried(asked, known):
    """The numbers of those sets that an earlier version has, whose sets are `known`."""
    numbers = {}
    for identity in IDENTITIES:
        for group in [group for group in asked if group not in numbers]:
            wanted = identity(*asked[group])
            for number, told in known:
                if wanted and identity(*told) == wanted and number not in numbers.values():
                    numbers[group] = number
                    break
    return numbers


class Migration(migrations.Migration):
    dependencies = [("programs", "0003_elective_sets_have_numbers")]

    operations = [migrations.RunPython(number_sets, migrations.RunPython.noop)]
