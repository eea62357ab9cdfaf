"""A log that is appended to and sealed; each entry that is acknowledged, and each checkpoint that is signed,
is said aloud.

Run under strace, which makes a system call of it fail: ``python -m tests.faults.sealing FOLDER``. What
fails is tried again, as the service does; run again, it goes on where it was.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from audit import AuditLog, sealing, writing
from audit.keyfile import SigningKey
from audit.refusals import SealingRefused
from audit.restoring import OPENED, put_back
from audit.sealing import Sealer
from connector.errors import ConnectorError
from connector.store import Store
from connector.store.statement import driver
from tests.store.site import draft, open_store

SITE: Final = "faults.example"
BATCHES: Final = ((3, 2026), (255, 2026), (2, 2027), (300, 2027))  # over full tiles, and over a year
GAVE_UP: Final = 3  # exit code
_TRIES: Final = 4
_WRONG: Final = (ConnectorError, SealingRefused, OSError, sqlite3.Error)


class Log(AuditLog):
    """As the connector opens it: what was signed is in the table before anything is appended."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def install(self, connection: Connection, *, new: bool = True) -> None:
        super().install(connection, new=new)
        put_back(driver(connection), self._folder / "store.audit", SITE)


async def main(folder: Path) -> None:
    """Every batch, appended and sealed, as often as it takes."""
    _tell_what_is_signed()
    writing._POOL = ThreadPoolExecutor(1)  # so that the calls of a run can be counted
    store = await _until(lambda: asyncio.to_thread(open_store, folder, Log(folder)))
    key = SigningKey(folder / "store.audit.key")
    sealer = await _until(
        lambda: asyncio.to_thread(Sealer, folder / "store.db", folder / "store.audit", SITE, key)
    )
    for number, (count, year) in enumerate(BATCHES):
        await _append(store, number, count, year)
        await _until(lambda: asyncio.to_thread(sealer.seal))
        await _until(lambda: _announced(store, sealer))
    sealer.close()
    await store.close()


async def _append(store: Store, number: int, count: int, year: int) -> None:
    at = f"{year}-06-01T00:00:00.000Z"
    entries = [draft(number=number)._replace(time=at) for _ in range(count)]
    await _until(lambda: store.record(entries))
    _say("appended", f"{number} {count}")


async def _announced(store: Store, sealer: Sealer) -> None:
    for began in sealer.unannounced():
        what = {"origin": began.shard.origin, "first": began.first}
        told = draft()._replace(tag=OPENED, actor={"role": "connector"}, object=what)
        await store.record([told])
        sealer.announced(began.shard)


def _tell_what_is_signed() -> None:
    """Before it is published: what was ever signed counts, and not only what somebody could have read."""
    sign = sealing.sign

    def told(*given: Any) -> bytes:
        signed = sign(*given)
        _say("signed", base64.b64encode(signed).decode())
        return signed

    sealing.sign = told  # type: ignore[assignment]


def _say(step: str, what: str) -> None:
    os.write(1, f"{step} {what}\n".encode())


async def _until(act: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(_TRIES):
        try:
            return await act()
        except _WRONG as error:
            _say("refused", f"{type(error).__name__}")
    raise SystemExit(GAVE_UP)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
