"""What a catalog says of its rows, checked; the form in which a Discovery service writes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, URLValidator, validate_slug

from programs.enums import PathwayStatus, PathwayType, ProgramStatus
from programs.services.nodes import Node, RecordError

MOST_HOURS = 32_767
NO_ADDRESS = "its logo has no address that pages can show: left out"
ORGANIZATIONS, COURSES, RUNS = "organizations", "courses", "course_runs"
PROGRAMS, PATHWAYS = "programs", "pathways"
TABLES = (ORGANIZATIONS, COURSES, RUNS, PROGRAMS, PATHWAYS)
"""In the order in which one needs the other."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row of a catalog. `values` are our columns; all else names rows by uuid, in order.

    `key` is what the row is called besides; "" where it has nothing of the kind. Of a program
    `runs` are those that count towards it, and `courses` those that it asks for, all of them;
    None: the courses of its runs.
    """

    table: str
    uuid: UUID
    name: str
    key: str = ""
    values: Mapping[str, Any]
    parent: UUID | None = None
    links: tuple[UUID, ...] = ()
    runs: tuple[UUID, ...] = ()
    courses: tuple[UUID, ...] | None = ()
    # What is odd about it.
    note: str = ""


@dataclass(frozen=True)
class Unreadable:
    """A row of a catalog that cannot be read: `uuid` is its own as far as it can be told."""

    table: str
    reason: str
    uuid: UUID | None = None


Read = Record | Unreadable


def read(table: str, item: object) -> list[Read]:
    """The rows that an item of a Discovery service's list holds: a course has its runs in it."""
    uuid = _uuid_of(item)
    try:
        node = Node.of(item, "")
        if table == COURSES:
            return _course(node)
        return [_READERS[table](node)]
    except RecordError as error:
        return [Unreadable(table, error.message, uuid)]


def _uuid_of(item: object) -> UUID | None:
    try:
        return Node.of(item, "").uuid("uuid")
    except RecordError:
        return None


def _organization(node: Node) -> Record:
    return organization(
        node.uuid("uuid"),
        key=node.text("key"),
        name=node.optional_text("name"),
        logo=node.optional_text("certificate_logo_image_url", max_length=512),
    )


def organization(uuid: UUID, *, key: str, name: str, logo: str) -> Record:
    """An organization; a logo that no page can show does not keep it away."""
    note = ""
    try:
        _require(URLValidator(["http", "https"]), logo, NO_ADDRESS)
    except RecordError as error:
        logo, note = "", error.message
    values = {"key": key, "name": name or key, "certificate_logo_image_url": logo}
    return Record(table=ORGANIZATIONS, uuid=uuid, name=key, key=key, values=values, note=note)


def _course(node: Node) -> list[Read]:
    """A course with its runs; one run that cannot be read hinders none of the others."""
    key, title = node.text("key"), node.optional_text("title")
    course = Record(
        table=COURSES,
        uuid=node.uuid("uuid"),
        name=key,
        key=key,
        values={"title": title},
        links=_uuids(node, "owners"),
    )
    found: list[Read] = [course]
    for child in _list(node, "course_runs"):
        try:
            found.append(_run(Node.of(child, "course_runs"), course.uuid, title))
        except RecordError as error:
            found.append(Unreadable(RUNS, error.message, _uuid_of(child)))
    return found


def _run(node: Node, course_uuid: UUID, course_title: str) -> Record:
    dates = [
        node.optional_date(name if node.fields.get(name) is not None else f"{name}_date")
        for name in ("start", "end")
    ]
    title = node.optional_text("title")
    return run(
        node.uuid("uuid"),
        course=course_uuid,
        key=node.text("key"),
        title="" if title == course_title else title,
        start=dates[0],
        end=dates[1],
    )


def run(
    uuid: UUID, *, course: UUID, key: str, title: str, start: datetime | None, end: datetime | None
) -> Record:
    values = {"title_override": title, "start_date": start, "end_date": end}
    return Record(table=RUNS, uuid=uuid, name=key, key=key, values=values, parent=course)


def _program(node: Node) -> Record:
    courses = [Node.of(child, "courses") for child in _list(node, "courses")]
    attributes = node.fields.get("type_attrs")
    hours = node.fields.get("total_hours_of_effort")
    return program(
        node.uuid("uuid"),
        title=node.text("title"),
        type=node.optional_text("type", max_length=32),
        type_slug=Node.of(attributes, "type_attrs").optional_text("slug", max_length=32)
        if attributes is not None
        else "",
        status=node.text("status", max_length=24),
        hours=None
        if hours is None
        else node.whole_number("total_hours_of_effort", least=0, most=MOST_HOURS),
        authors=_uuids(node, "authoring_organizations"),
        courses=_once(course.uuid("uuid") for course in courses),
        runs=_once(uuid for course in courses for uuid in _uuids(course, "course_runs")),
    )


def program(
    uuid: UUID,
    *,
    title: str,
    type: str,  # as the column is called
    type_slug: str,
    status: str,
    hours: int | None,
    authors: tuple[UUID, ...],
    runs: tuple[UUID, ...],
    courses: tuple[UUID, ...] | None,
) -> Record:
    if status not in ProgramStatus.values:
        raise RecordError("status is unknown")
    _require(validate_slug, type_slug, "type_slug is no slug")
    values = {
        "title": title,
        "type": type,
        "type_slug": type_slug,
        "status": status,
        "total_hours_of_effort": hours,
    }
    return Record(
        table=PROGRAMS,
        uuid=uuid,
        name=title,
        values=values,
        links=authors,
        runs=runs,
        courses=courses,
    )


def _pathway(node: Node) -> Record:
    return pathway(
        node.uuid("uuid"),
        name=node.text("name"),
        org_name=node.optional_text("org_name"),
        email=node.optional_text("email", max_length=254),
        pathway_type=node.optional_text("pathway_type") or PathwayType.CREDIT,
        status=node.optional_text("status") or PathwayStatus.PUBLISHED,
        programs=_uuids(node, "programs"),
    )


def pathway(
    uuid: UUID,
    *,
    name: str,
    org_name: str,
    email: str,
    pathway_type: str,
    status: str,
    programs: tuple[UUID, ...],
) -> Record:
    """A pathway that is not published keeps its row, and no program."""
    if pathway_type not in PathwayType.values:
        raise RecordError("pathway_type is unknown")
    if status not in PathwayStatus.values:
        raise RecordError("status is unknown")
    _require(EmailValidator(), email, "email is no address")
    values = {
        "name": name,
        "org_name": org_name,
        "email": email,
        "pathway_type": pathway_type,
        "status": status,
    }
    links = programs if status == PathwayStatus.PUBLISHED else ()
    return Record(table=PATHWAYS, uuid=uuid, name=name, values=values, links=links)


_READERS = {ORGANIZATIONS: _organization, PROGRAMS: _program, PATHWAYS: _pathway}


def _require(validate: Any, text: str, told: str) -> None:
    try:
        if text:
            validate(text)
    except ValidationError as error:
        raise RecordError(told) from error


def _list(node: Node, key: str) -> list[Any]:
    value = node.fields.get(key)
    if value is not None and not isinstance(value, list):
        raise RecordError(f"{node.path(key)} is no list")
    return value or []


def _uuids(node: Node, key: str) -> tuple[UUID, ...]:
    """The uuids of objects, in order, each once."""
    return _once(Node.of(child, key).uuid("uuid") for child in _list(node, key))


def _once(uuids: Any) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(uuids))
