"""Which time-stamps (RFC 3161) go into an export: read as files, whoever made and checks them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

from audit import merkle
from audit.checkpoint import Checkpoint
from audit.directory import read
from audit.read import Span
from audit.tiles import TileNodes

FOLDER: Final = "stamps"
_NAME: Final = re.compile(r"([1-9][0-9]{0,17})\.tsr")
_LONGEST: Final = 1 << 20


def sizes(span: Span, shown: int) -> list[int]:
    """The sizes of the tree whose heads were stamped: the first with the entry ``shown`` and the newest."""
    try:
        names = os.listdir(span.shard.root / FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = sorted(int(one[1]) for one in map(_NAME.fullmatch, names) if one)
    found = [one for one in found if one <= span.head.size]
    return sorted({*found[-1:], *[one for one in found if one > span.place(shown)][:1]})


def files(span: Span, shown: int) -> Iterator[tuple[str, bytes]]:
    """Each stamp, and the text that it is of: name and content."""
    nodes = TileNodes(span.head.size, span.shard.read)
    for size in sizes(span, shown):
        stamp = read(span.shard.root / FOLDER / f"{size}.tsr", _LONGEST)
        if stamp is not None:
            yield f"{FOLDER}/{size}.tsr", stamp
            head = Checkpoint(span.head.origin, size, merkle.root(size, nodes))
            yield f"{FOLDER}/{size}.txt", head.text.encode()
