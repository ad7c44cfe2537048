"""Open letters one after the other, and publish a text over thousands of them."""

from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.measuring import measured
from credentials_portal.core.history import Attribution
from letters import selectors
from letters.models import ProgramLetter
from letters.services import (
    SignatoryDraft,
    TextDraft,
    publish_template,
    write_draft,
)

PAGES = 300
DRAFT = TextDraft(
    text="Dear {name},\n\nwell done: you completed **{program}**.\n\n" + "A long text. " * 60,
    signatories=[
        SignatoryDraft("Grace Hopper", "Dean"),
        SignatoryDraft("Alan Turing", "Registrar"),
    ],
)


def measure(_size: str) -> None:
    """Works on the letters that `benchmarks.letters` left."""
    settings.ALLOWED_HOSTS = ["*"]
    by = Attribution(at=timezone.now(), reason="benchmark", cause="benchmark")
    program_id = ProgramLetter.objects.filter(state="active").values_list("program_id", flat=True)[
        0
    ]
    template_id = write_draft(program_id=program_id, draft=DRAFT, by=by)
    print(
        f"\nPages of letters; the text of one of {ProgramLetter.objects.count():,} letters' programs"
    )
    with measured("preflight of a publication") as preflight:
        publication = selectors.publication(program_id, at=by.at)
    preflight.show()
    with measured(f"publish_template: {publication.appearing:,} letters become visible") as publish:
        publish_template(template_id=template_id, by=by, despite_failures=True)
    publish.show()
    _measure_pages(program_id)


def _measure_pages(program_id: int) -> None:
    letters = list(ProgramLetter.objects.filter(program_id=program_id).shown()[:PAGES])
    client, holder = Client(), Client()
    holder.force_login(letters[0].user)
    for letter in letters[:3]:
        client.get(f"/letter/program/{letter.uuid}/")
    page = [_timed(partial(client.get, f"/letter/program/{letter.uuid}/")) for letter in letters]
    pdf = [
        _timed(partial(client.get, f"/letter/program/{letter.uuid}.pdf")) for letter in letters[:50]
    ]
    own = f"/letter/program/{letters[0].uuid}/"
    with CaptureQueriesContext(connection) as queries:
        holder.get(own)
        statements_of_page = [query["sql"] for query in queries]
    signed_in = [_timed(lambda: holder.get(own)) for _ in range(PAGES)]
    bare = [_timed(lambda: _execute(statements_of_page)) for _ in range(PAGES)]
    floor = median(bare)
    for name, times, statements in (
        ("floor: the bare statements of a signed-in holder's page", bare, len(statements_of_page)),
        ("the letter's page, its holder signed in", signed_in, len(statements_of_page)),
        ("the letter's page, a stranger", page, 2),
        ("the letter's PDF, a stranger", pdf, 3),
    ):
        p50, p95 = median(times), sorted(times)[int(len(times) * 0.95)]
        print(
            f"  {name:<58} p50 {p50 * 1000:>6.1f} ms p95 {p95 * 1000:>6.1f} ms"
            f" {p50 / floor:>6.2f} x {statements:>3} statements"
        )


def _timed(work: Callable[[], Any]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _execute(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.replace("%", "%%"))
            if cursor.description:
                cursor.fetchall()
