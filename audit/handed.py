"""Which heads of a log were handed out in exports: later exports show that they continue these.

A file of the log's directory, a line for each: the shard's name and its size. Losing it loses nothing but
that: ``--against`` then needs an export that was told of the earlier one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from audit.export import Head

NAME: Final = "exported"
MOST: Final = 64  # of each shard, the newest
_LONGEST: Final = 1 << 20  # bytes of the file that are looked at, from its end


def handed(directory: Path) -> list[Head]:
    """The heads that were handed out last. Raises ``OSError``."""
    try:
        with (directory / NAME).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST))
            lines = file.read(_LONGEST).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    found: dict[str, dict[int, None]] = {}
    for line in lines:
        origin, _, size = line.rpartition(" ")
        if origin and size.isascii() and size.isdigit() and len(size) < 19:
            sizes = found.setdefault(origin, {})
            sizes.pop(int(size), None)
            sizes[int(size)] = None
    return [Head(origin, size) for origin, sizes in found.items() for size in list(sizes)[-MOST:]]


def hand_out(directory: Path, heads: list[Head]) -> None:
    """Remember them, on the disk. Raises ``OSError``."""
    new = [one for one in dict.fromkeys(heads) if one not in handed(directory)]
    if not new:
        return
    held = os.open(directory / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(held, "".join(f"{one.origin} {one.size}\n" for one in new).encode())
        os.fsync(held)
    finally:
        os.close(held)
