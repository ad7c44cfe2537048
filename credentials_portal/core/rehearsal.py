"""What a dry run of an import would have written: kept on disk, for it may be millions of rows."""

import json
import sqlite3
from collections.abc import Iterable, Mapping


class Rehearsal:
    """Texts by key, of several kinds. Nobody else sees them, and they are gone when it is closed."""

    def __init__(self) -> None:
        # Without a name it is a file of its own, and without a journal it is never undone.
        self._notes = sqlite3.connect("")
        self._notes.executescript(
            """
            PRAGMA journal_mode = OFF;
            CREATE TABLE note (
                kind TEXT, key TEXT, text TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID;
            """
        )

    def note(self, kind: str, texts: Mapping[str, str]) -> None:
        """Keep these texts, in place of those that the keys had."""
        rows = ((kind, key, text) for key, text in texts.items())
        self._notes.executemany("INSERT OR REPLACE INTO note VALUES (?, ?, ?)", rows)

    def forget(self, kind: str, keys: Iterable[str]) -> None:
        self._notes.executemany(
            "DELETE FROM note WHERE kind = ? AND key = ?", ((kind, key) for key in keys)
        )

    def noted(self, kind: str, keys: Iterable[str]) -> dict[str, str]:
        """The texts of those of these keys that have one."""
        found = self._notes.execute(
            "SELECT key, text FROM note WHERE kind = ? AND key IN (SELECT value FROM json_each(?))",
            (kind, json.dumps(list(keys))),
        )
        return dict(found.fetchall())

    def close(self) -> None:
        self._notes.close()
