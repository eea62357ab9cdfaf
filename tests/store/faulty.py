"""Takes messages one after the other while the disk fails, and prints what became of each."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from connector.errors import StoreUnavailable
from tests.store.site import new_store, take


async def main(folder: Path) -> None:
    store = new_store(folder)
    for control_id in map(str, range(30)):
        try:
            await take(store, control_id, control_id.encode())
            sys.stdout.write(f"{control_id} taken\n")
        except StoreUnavailable:
            sys.stdout.write(f"{control_id} refused\n")
        sys.stdout.flush()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
