"""Files to keep; lists as CSV, streamed, and safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from credentials_portal.core.report import csv_cell


def csv_download(
    name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> StreamingHttpResponse:
    """These rows as a file of this name, which nobody on the way keeps."""
    return StreamingHttpResponse(
        _lines(columns, rows),
        content_type="text/csv; charset=utf-8",
        headers=_headers(name),
    )


def download(name: str, content: str, *, content_type: str) -> HttpResponse:
    """A text as a file of this name, which nobody on the way keeps."""
    return HttpResponse(content, content_type=content_type, headers=_headers(name))


def _headers(name: str) -> dict[str, str]:
    """`name` holds no line break; what is not ASCII is told as RFC 5987 says."""
    return {
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=name)
        or "attachment",
        "Cache-Control": "no-store, private",
    }


class _Echo:
    """A file that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def _lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield str(writer.writerow(columns))
    for row in rows:
        yield str(writer.writerow([csv_cell(row[name]) for name in columns]))
