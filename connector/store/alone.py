"""One service to a store: two would deliver the same messages, each in its own order.

The lock is a file beside the database, held with ``flock``: it ends with the process, however that ends.
SQLite's own locks are not touched, so others may still look into the store, or put a message back.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector.errors import StoreUnavailable, UnableToWork


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """Hold the store at this path against other services.

    Raises ``UnableToWork`` where another one holds it, ``StoreUnavailable`` where there can be no lock.
    """
    path = store.with_name(f"{store.name}.lock")
    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"no lock can be made ({type(error).__name__})", location=str(path)) from None
    try:
        _lock(held, path)
        yield
    finally:
        os.close(held)


def _lock(held: int, path: Path) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UnableToWork(
            "another connector runs on this store", fix="end it first", location=str(path)
        ) from None
    except OSError as error:
        raise StoreUnavailable(f"no lock can be held ({type(error).__name__})", location=str(path)) from None
