"""Rows as a Discovery service gives them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

SPACE = UUID("5d0a3a1f-58d5-4f3c-9e5b-6f1c8f3f6a10")
Item = dict[str, Any]


def uuid_of(name: object) -> UUID:
    """Always the same for a name."""
    return uuid5(SPACE, str(name))


def organization(key: str = "EX", **fields: Any) -> Item:
    return {
        "uuid": str(uuid_of(key)),
        "key": key,
        "name": f"{key} University",
        "certificate_logo_image_url": f"https://example.org/{key}.png",
        "description": "not wanted",
    } | fields


def run(key: str, **fields: Any) -> Item:
    return {
        "uuid": str(uuid_of(key)),
        "key": key,
        "title": f"Title of {key}",
        "start": "2024-01-15T00:00:00Z",
        "end": "2024-05-15T00:00:00Z",
    } | fields


def course(key: str = "EX+1", *runs: Item, owners: Iterable[str] = ("EX",), **fields: Any) -> Item:
    """A course with one run, unless others are given."""
    return {
        "uuid": str(uuid_of(key)),
        "key": key,
        "title": f"Course {key}",
        "owners": [{"uuid": str(uuid_of(owner)), "key": owner} for owner in owners],
        "course_runs": list(runs) or [run(f"course-v1:{key}+R1")],
    } | fields


def program(name: str = "Weaving", *courses: Item, **fields: Any) -> Item:
    return {
        "uuid": str(uuid_of(name)),
        "title": name,
        "type": "MicroMasters",
        "type_attrs": {"uuid": str(uuid_of("MicroMasters")), "slug": "micromasters"},
        "status": "active",
        "total_hours_of_effort": 40,
        "authoring_organizations": [{"uuid": str(uuid_of("EX"))}],
        "courses": [
            {
                "uuid": one["uuid"],
                "course_runs": [{"uuid": each["uuid"]} for each in one["course_runs"]],
            }
            for one in courses
        ],
    } | fields


def pathway(name: str = "To a degree", *programs: Item, **fields: Any) -> Item:
    return {
        "uuid": str(uuid_of(name)),
        "id": 7,
        "name": name,
        "org_name": "Institution",
        "email": "registrar@institution.example",
        "status": "published",
        "pathway_type": "credit",
        "programs": [{"uuid": one["uuid"]} for one in programs],
    } | fields
