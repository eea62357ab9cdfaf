"""Moves committed pages from the write-ahead log into the database, beside the writer.

SQLite would do it inside a commit, every thousand pages, and everybody whose message is in that commit
would wait for the whole copy and its fsync. From a connection of its own a passive checkpoint holds up
nobody; what is committed is safe in the log until it is copied.

SQLite begins the log anew only when all of it is copied, which never happens beside a writer that does not
rest. So when it has become long, the writer is told (``long``), and copies what little is left itself.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Final

from sqlalchemy import Connection, Engine

from connector.store import database

SECONDS: Final = 1.0
LONG: Final = 32_768  # pages of the log: 128 MiB


class Checkpoints:
    """A thread that checkpoints every ``SECONDS``; ``close`` ends it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ending = threading.Event()
        self.long = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End after the checkpoint under way."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(SECONDS):
            # a disk that is unwell says so to the writer as well, whose callers hear of it
            with contextlib.suppress(*database.ERRORS), self._engine.connect() as connection:
                if copy(connection) >= LONG:
                    self.long.set()


def copy(connection: Connection) -> int:
    """Copy what the log holds, as far as no reader needs it; how many pages it is long."""
    _, pages, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()
    return int(pages)
