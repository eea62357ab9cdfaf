"""The store's part of the cycle for a few messages, each step said aloud once it is on the disk.

Run under strace, which makes a system call of it fail: ``python -m tests.faults.cycle FOLDER``. A step that
the store refuses is tried again, as the service does; run again, it goes on where it was.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from audit import Tag
from connector.errors import ConnectorError
from connector.store import JournalEntry, Outgoing, Store
from tests.store.site import LINK, NOW, TO_FHIR, draft, new_store, take

MESSAGES: Final = 4
GAVE_UP: Final = 3  # exit code
_TRIES: Final = 3  # SQLite itself waits ten seconds for a lock that could not be given back


async def main(folder: Path) -> None:
    """Every step of every message, as often as it takes."""
    store = await _until(lambda: asyncio.to_thread(new_store, folder))
    for number in map(str, range(MESSAGES)):
        await _take(store, number)
        await _translate(store)
        await _deliver(store)
    await store.close()


async def _take(store: Store, number: str) -> None:
    taken = await _until(lambda: take(store, number, number.encode()))
    _say("known" if taken.duplicate else "taken", number)


async def _translate(store: Store) -> None:
    for item in await _until(lambda: store.pending(LINK, TO_FHIR, 9)):
        spoken = JournalEntry(LINK, "Patient/1", item.payload, item.payload, "ADT")
        made = [Outgoing(item.payload)]
        done = [draft(Tag.MESSAGE_V2_TRANSLATED)]
        await _until(lambda: store.translated(item.id, made, ["PID-3"], [spoken], done))  # noqa: B023
        _say("translated", item.payload.decode())


async def _deliver(store: Store) -> None:
    while (item := await _until(lambda: store.due(LINK, TO_FHIR, NOW))) is not None:
        attempt = item.attempts + 1
        await _until(lambda: store.intent(item.id, attempt, NOW, [draft()]))  # noqa: B023
        await _until(lambda: store.delivered(item.id, NOW, [], [draft()]))
        _say("delivered", item.payload.decode())


def _say(step: str, number: str) -> None:
    os.write(1, f"{step} {number}\n".encode())


async def _until(act: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(_TRIES):
        try:
            return await act()
        except ConnectorError as error:
            _say("refused", type(error).__name__)
    raise SystemExit(GAVE_UP)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
