"""The log's table and the triggers that let it only grow.

Written as SQL of SQLite, since ``verify`` compares what is in a file with it, word for word. ``seq`` is
``AUTOINCREMENT`` for the sake of ``sqlite_sequence``: it remembers how long the log has been, so entries
cut off at the end are missed too.
"""

from __future__ import annotations

from typing import Final

TABLE: Final = "audit_entry"

CREATE: Final[dict[str, str]] = {
    "audit_entry": (
        "CREATE TABLE audit_entry (seq INTEGER PRIMARY KEY AUTOINCREMENT, "
        "entry TEXT NOT NULL, hash BLOB NOT NULL)"
    ),
    "audit_entry_no_update": (
        "CREATE TRIGGER audit_entry_no_update BEFORE UPDATE ON audit_entry "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
    ),
    "audit_entry_no_delete": (
        "CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
    ),
    # INSERT OR REPLACE deletes without a delete trigger, so an insert may only continue the log
    "audit_entry_in_order": (
        "CREATE TRIGGER audit_entry_in_order BEFORE INSERT ON audit_entry "
        "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit_entry) "
        "BEGIN SELECT RAISE(ABORT, 'the audit log has no gaps'); END"
    ),
}

PRESENT: Final = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'audit_entry' AND sql IS NOT NULL"
HEAD: Final = "SELECT seq, hash FROM audit_entry ORDER BY seq DESC LIMIT 1"
APPEND: Final = "INSERT INTO audit_entry (seq, entry, hash) VALUES (?, ?, ?)"
ENTRIES: Final = "SELECT seq, entry, hash FROM audit_entry ORDER BY seq"
LENGTH: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'audit_entry'"


def altered(present: dict[str, str]) -> list[str]:
    """The names of what is missing, changed or added, given ``name: sql`` of what is there."""
    names = sorted(CREATE.keys() | present.keys())
    return [name for name in names if present.get(name) != CREATE.get(name)]
