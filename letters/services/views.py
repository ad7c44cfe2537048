"""Counting who opens a letter, by kind and day."""

from datetime import date

from django.db import connection

from letters.enums import Viewer


def count_view(*, letter_id: int, viewer: Viewer, day: date) -> None:
    """Count one more view of a letter, in one statement, and keep nothing about the viewer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO letters_letterviewcount AS counted (letter_id, day, viewer, views)"
            " VALUES (%s, %s, %s, 1) ON CONFLICT (letter_id, day, viewer)"
            " DO UPDATE SET views = counted.views + 1",
            [letter_id, day, viewer],
        )
