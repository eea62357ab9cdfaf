"""Zip files of one fixed form, made as they are read: nothing of a member is kept but its line in the list.

Two kinds of members: ``stored`` ones, whole in memory and as they are; ``deflated`` ones, of any length,
with their sizes behind them (bit 3 of the flags, 64 bits wide). No times, no comments, no choices: the same
members give the same bytes, and whoever checks can tell each byte from the list of members (PKWARE APPNOTE).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

LIMIT: Final = 0xFFFFFFFF  # from here on, numbers stand in an extra field
MOST: Final = 0xFFFF  # members, of which the list's end says no number any more
LEVEL: Final = 6  # of deflate
_DATE: Final = 0x21  # 1 January 1980, the first day that a zip file can say
_PLAIN: Final = 0o100644 << 16  # a file that everybody may read
_STORED, _DEFLATED = 0, 8


class Member(NamedTuple):
    """One file in a zip file. ``packed``: its bytes there; both hashes are hexadecimal SHA-256."""

    name: str
    method: int
    crc: int
    size: int
    packed: int
    sha256: str
    packed_sha256: str
    offset: int

    def listed(self) -> dict[str, Any]:
        """For a manifest."""
        method = "stored" if self.method == _STORED else "deflated"
        hashes = {"sha256": self.sha256, "packed_sha256": self.packed_sha256}
        return {
            "name": self.name,
            "method": method,
            "size": self.size,
            "packed": self.packed,
            "crc32": self.crc,
            **hashes,
        }


class Zipped:
    """A zip file in the making: each method gives the next bytes of it."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self._offset = 0

    def stored(self, name: str, content: bytes) -> bytes:
        """A member as it is."""
        hashed = hashlib.sha256(content).hexdigest()
        size, crc = len(content), zlib.crc32(content)
        self.members.append(Member(name, _STORED, crc, size, size, hashed, hashed, self._offset))
        made = _local(name, crc, size) + content
        self._offset += len(made)
        return made

    def deflated(self, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
        """A member that comes in pieces."""
        start, said = self._offset, name.encode("ascii")
        numbers = (45, 8, _DEFLATED, 0, _DATE, 0, LIMIT, LIMIT, len(said), 20)
        head = struct.pack("<4s5H3L2H", b"PK\3\4", *numbers) + said + struct.pack("<2H2Q", 1, 16, 0, 0)
        yield head
        squeezed = _Squeezed()
        for piece in content:
            if made := squeezed.more(piece):
                yield made
        yield squeezed.end()
        crc, size, packed = squeezed.crc, squeezed.size, squeezed.packed
        tail = struct.pack("<4sL2Q", b"PK\7\x08", crc, packed, size)
        hashes = squeezed.whole.hexdigest(), squeezed.hashed.hexdigest()
        self.members.append(Member(name, _DEFLATED, crc, size, packed, *hashes, start))
        self._offset += len(head) + packed + len(tail)
        yield tail

    def end(self) -> bytes:
        """The list of members; nothing comes behind it."""
        listed = b"".join(map(_central, self.members))
        start, size, count, more = self._offset, len(listed), len(self.members), b""
        if count >= MOST or max(start, size) >= LIMIT:
            more = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
            more += struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
        count, start, size = min(count, MOST), min(start, LIMIT), min(size, LIMIT)
        return listed + more + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, start, 0)


class _Squeezed:
    """Deflates, counts and hashes what goes through it."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
        self.whole, self.hashed = hashlib.sha256(), hashlib.sha256()
        self.crc = self.size = self.packed = 0

    def more(self, piece: bytes) -> bytes:
        self.whole.update(piece)
        self.crc, self.size = zlib.crc32(piece, self.crc), self.size + len(piece)
        return self._out(self._deflate.compress(piece))

    def end(self) -> bytes:
        return self._out(self._deflate.flush())

    def _out(self, made: bytes) -> bytes:
        self.hashed.update(made)
        self.packed += len(made)
        return made


def bundled(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip file of small files, in memory."""
    made, parts, offset = [], [], 0
    for name, content in files:
        size, crc = len(content), zlib.crc32(content)
        made.append(_central(Member(name, _STORED, crc, size, size, "", "", offset)))
        parts += [_local(name, crc, size), content]
        offset += len(parts[-2]) + size
    listed = b"".join(made)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(made), len(made), len(listed), offset, 0)
    return b"".join([*parts, listed, end])


def _local(name: str, crc: int, size: int) -> bytes:
    said = name.encode("ascii")
    if size >= LIMIT:
        raise ValueError("too long to be stored")
    return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, _DATE, crc, size, size, len(said), 0) + said


def _central(one: Member) -> bytes:
    said, more = one.name.encode("ascii"), b""
    packed, size, offset = one.packed, one.size, one.offset
    if max(packed, size, offset) >= LIMIT:
        more = struct.pack("<2H3Q", 1, 24, size, packed, offset)
        packed = size = offset = LIMIT
    needs = 45 if one.method or more else 20
    flags = 8 if one.method else 0
    return (
        struct.pack("<4s6HL", b"PK\1\2", 3 << 8 | 45, needs, flags, one.method, 0, _DATE, one.crc)
        + struct.pack("<2L5H2L", packed, size, len(said), len(more), 0, 0, 0, _PLAIN, offset)
        + said
        + more
    )
