"""Takes messages as fast as it can and prints the control id of each when it is acknowledged."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.store.site import new_store, take

TASKS = 32


async def main(folder: Path, start: int) -> None:
    store = new_store(folder)

    async def feed(first: int) -> None:
        for control_id in range(first, first + 1_000_000, TASKS):
            await take(store, str(control_id), str(control_id).encode())
            os.write(1, f"{control_id}\n".encode())

    await asyncio.gather(*(feed(start + task) for task in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
