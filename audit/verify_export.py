#!/usr/bin/env python3
"""Checks an export of an audit log, for somebody who trusts neither its operator nor its makers.

    python3 -I verify.py EXPORT.zip [--against EARLIER.zip] [--log-key VKEY] [--witness VKEY]

This one file needs Python 3.9 or later and nothing else. It is written apart from the software that makes
the exports, to be read by whoever is to rely on it: signatures, keys and notes, the tree, the zip file, the
entries and their table, the checks, the report. It writes no file and opens no connection.

Exit code: 0, everything holds; 1, something does not; 2, it could not be checked.

The words: an ENTRY is one line of the log. The log hangs a tree of hashes (RFC 6962) over all its entries, a
tree a year (a SHARD), and signs the tree's root: a HEAD. Whoever has a head and the hashes in between (TILES)
can tell that an entry is in the tree at its place, and that nothing was put in, taken out or changed since.
A WITNESS is somebody else who signs heads, each only if it continues those that came before.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import functools
import hashlib
import json
import os
import re
import struct
import sys
import zlib
from decimal import Decimal
from typing import Any, BinaryIO, Callable, Iterator, NamedTuple  # noqa: UP035 - also for Python 3.9

Json = Any


class Bad(Exception):
    """Something is not as it must be."""


class Missing(Bad):
    """Something is not there that a check needs."""


class Unable(Exception):
    """It cannot be checked here."""


# --- 1. Signatures: Ed25519, RFC 8032 section 5.1.7 -------------------------------------------------------
# A public key is a point A of a curve over the numbers modulo P. A signature is a point R and a number S.
# With k = SHA-512(R, A, message) it holds if S*B = R + k*A, B being the curve's base point: only who knows
# the private number behind A can find such an S. Points are kept as (X, Y, Z, T): x = X/Z, y = Y/Z, T = XY/Z.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493  # the order of B
D = -121665 * pow(121666, P - 2, P) % P
Point = "tuple[int, int, int, int]"


def _add(a: Any, b: Any) -> Any:
    """Section 5.1.4."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Any) -> Any:
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


def _point(raw: bytes) -> Any:
    """Section 5.1.3: 255 bits of y, and the sign of x."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        raise Bad("no point of the curve")
    return (x if x & 1 == sign else P - x), y, 1, (x if x & 1 == sign else P - x) * y % P


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature over the message is that of the key."""
    if len(public) != 32 or len(signature) != 64:
        return False
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    try:
        a, point_r = _point(public), _point(r)
    except Bad:
        return False
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    left, right = _times(s, BASE), _add(point_r, _times(k, a))
    same = (left[0] * right[2] - right[0] * left[2]) % P == (left[1] * right[2] - right[1] * left[2]) % P == 0
    return s < L and same


def fast_ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    """The same by the package ``cryptography``, where that is installed."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return ed25519(public, signature, message)
    try:
        _point(public), _point(signature[:32])
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError, Bad):
        return False
    return True


def ml_dsa_44(public: bytes, signature: bytes, message: bytes) -> bool:
    """FIPS 204, for which a package is needed; without it, it cannot be said."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
    except ImportError:
        raise Unable(
            "a signature by ML-DSA-44: it needs the package cryptography, version 47 or later"
        ) from None
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# --- 2. Keys and signed notes: C2SP signed-note, tlog-checkpoint, tlog-cosignature -------------------------
# A note is a text, an empty line, and signatures: "(dash) NAME BASE64(id of the key, signature)".
# A key is written NAME+ID+BASE64(type, public key). Types: 1 Ed25519 over the text; 4 Ed25519 over a time
# and the text; 6 ML-DSA-44 over a time and what a head says. A head's text: name of the log, size, root.

LENGTHS = {1: (32, 64), 4: (32, 72), 6: (1312, 2428)}  # of public key and signature, with its time


class Key(NamedTuple):
    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    @property
    def site(self) -> str:
        """A log's keys are named SITE/YEAR."""
        return self.name.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64(bytes([self.kind]) + self.public)}"


class Head(NamedTuple):
    """A signed note that holds a head; ``raw``: the whole of it."""

    origin: str
    size: int
    root: bytes
    text: str
    signatures: list[tuple[str, bytes]]
    raw: bytes


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def unb64(text: str) -> bytes:
    """Only in its one right form."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad("no base 64") from None
    if b64(raw) != text:
        raise Bad("base 64 in another than its one right form")
    return raw


def key(text: str) -> Key:
    name, _, rest = text.partition("+")
    _, _, raw = rest.partition("+")
    public = unb64(raw)
    if len(public) < 33 or len(public) - 1 != LENGTHS.get(public[0], (0, 0))[0]:
        raise Bad("no key of a type that is known: NAME+ID+KEY is asked for")
    found = Key(name, public[0], public[1:])
    if str(found) != text or not name or re.search(r"\s", name):
        raise Bad("the key is not what its id says")
    return found


def note(raw: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """Text and signatures (name; id, time and signature)."""
    try:
        text, blank, lines = raw.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise Bad("no signed note") from None
    if not blank or not lines.endswith("\n") or lines.count("\n") > 100:
        raise Bad("no signed note")
    found = [re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/=]+)", line) for line in lines[:-1].split("\n")]
    if not all(found):
        raise Bad("no signed note")
    return f"{text}\n", [(one[1], unb64(one[2])) for one in found if one]


def head(raw: bytes) -> Head:
    text, signatures = note(raw)
    lines = text.split("\n")
    if len(lines) < 4 or not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]) or len(unb64(lines[2])) != 32:
        raise Bad("no head of a log")
    return Head(lines[0], int(lines[1]), unb64(lines[2]), text, signatures, raw)


def signed_by(one: Key, text: str, signatures: list[tuple[str, bytes]], of: Head | None = None) -> int | None:
    """The time in the key's signature (0: it says none); None: it has not signed. A bad one raises."""
    for name, value in signatures:
        if (name, value[:4]) == (one.name, one.id):
            if len(value) != 4 + LENGTHS[one.kind][1] or not _holds(one, value[4:], text, of):
                raise Bad(f"the signature by {one.name} does not hold")
            return 0 if one.kind == 1 else int.from_bytes(value[4:12], "big")
    return None


def _holds(one: Key, value: bytes, text: str, of: Head | None) -> bool:
    if one.kind == 1:
        return fast_ed25519(one.public, value, text.encode())
    at, value = value[:8], value[8:]
    if one.kind == 4:
        time = f"cosignature/v1\ntime {int.from_bytes(at, 'big')}\n"
        return fast_ed25519(one.public, value, (time + text).encode())
    if of is None or len(text.split("\n")) != 4:
        return False
    names = [bytes([len(name.encode())]) + name.encode() for name in (one.name, of.origin)]
    said = b"subtree/v1\n\0" + names[0] + at + names[1] + struct.pack(">QQ", 0, of.size) + of.root
    return ml_dsa_44(one.public, value, said)


# --- 3. The tree: RFC 6962 section 2.1, stored as C2SP tlog-tiles -----------------------------------------
# Level 0 holds the hash of each entry. Two neighbours together give one hash of the level above. A tile holds
# 256 hashes of level 0, 8, 16 ... and so stands for the eight levels above it. Where the number of entries is
# no power of two, the complete subtrees ("peaks") are joined from the right to give the root.


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def joined(peaks: list[bytes]) -> bytes:
    if not peaks:
        return hashlib.sha256().digest()
    total = peaks[-1]
    for one in reversed(peaks[:-1]):
        total = node_hash(one, total)
    return total


def tile_path(level: int, number: int, width: int) -> str:
    digits = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        digits = f"x{number % 1000:03}/{digits}"
    return f"tile/{level}/{digits}" + ("" if width == 256 else f".p/{width}")


class Tree:
    """The tree under a head. No hash comes out of it that does not hang under the head's root."""

    def __init__(self, size: int, root: bytes, read: Callable[[str], bytes | None]) -> None:
        self.size, self._read = size, read
        self._tiles: dict[tuple[int, int], list[list[bytes]]] = {}
        if self.root_at(size) != root:  # reads the tiles at the right edge, which have no tile above them
            raise Bad("the tiles do not lead to the signed root")

    def tile(self, level: int, number: int) -> list[list[bytes]]:
        """The hashes of a tile, and of the levels that it stands for."""
        found = self._tiles.get((level, number))
        if found is None:
            found = self._checked(level, number)
            if len(self._tiles) > 64:
                self._tiles.pop(next(iter(self._tiles)))
            self._tiles[level, number] = found
        return found

    def _checked(self, level: int, number: int) -> list[list[bytes]]:
        width = min(256, (self.size >> 8 * level) - 256 * number)
        path = tile_path(level, number, width)
        raw = self._read(path) if width > 0 else None
        if raw is None:
            raise Missing(f"{path} is not in the export")
        levels = [[raw[at : at + 32] for at in range(0, len(raw), 32)]]
        if len(raw) != 32 * width:
            raise Bad(f"{path} is of another length")
        for _ in range(8):
            below = levels[-1]
            levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
        if width == 256 and self.tile(level + 1, number >> 8)[0][number & 255] != levels[8][0]:
            raise Bad(f"{path} does not hang under the signed root")
        return levels

    def node(self, level: int, number: int) -> bytes:
        """The hash over 2**level entries."""
        high, low = divmod(level, 8)
        return self.tile(high, number >> 8 - low)[low][number & (1 << 8 - low) - 1]

    def root_at(self, size: int) -> bytes:
        """The root that the tree had when it had fewer entries: what a head of that time must say."""
        return joined([self.node(bit, (size >> bit) - 1) for bit in range(63, -1, -1) if size >> bit & 1])

    def path(self, level: int, at: int, size: int) -> list[bytes]:
        """The proof that a node is in the tree of ``size``: what it is joined with on the way to the root."""
        found, last = [], (size - 1) >> level
        while last:
            beside = at ^ 1
            if beside < last:
                found.append(self.node(level, beside))
            elif beside == last:
                rest = size - (beside << level)
                start, peaks = beside << level, []
                for bit in range(level, -1, -1):
                    if rest >> bit & 1:
                        peaks.append(self.node(bit, start >> bit))
                        start += 1 << bit
                found.append(joined(peaks))
            level, at, last = level + 1, at >> 1, last >> 1
        return found


class Proofs:
    """The files of proofs (C2SP tlog-proof) as they must be, under one head. Each has only one right form:
    its lines are the hashes with which the entry's is joined on the way up. Neighbours share most of them."""

    def __init__(self, tree: Tree, under: Head) -> None:
        self._tree, self._size, self._tail = tree, under.size, b"\n" + under.raw
        self._block, self._group = -1, -1
        self._rows: list[list[bytes]] = []
        self._above = self._shared = b""

    def of(self, index: int) -> bytes:
        at = index & 255
        if (index | 255) >= self._size:
            lines = _lines(self._tree.path(0, index, self._size)) + self._tail
            return b"c2sp.org/tlog-proof@v1\nindex %d\n%b" % (index, lines)
        if index >> 4 != self._group:
            self._open(index)
        row = self._rows
        below = row[0][at ^ 1], row[1][at >> 1 ^ 1], row[2][at >> 2 ^ 1], row[3][at >> 3 ^ 1]
        return b"c2sp.org/tlog-proof@v1\nindex %d\n%b%b%b%b%b" % (index, *below, self._shared)

    def _open(self, index: int) -> None:
        """What the next entries have in common: those below one tile, and sixteen of them."""
        block, at = index >> 8, index & 255
        if block != self._block:
            tile = self._tree.tile(0, block)[:8]
            self._block, self._rows = block, [[_lines([one]) for one in row] for row in tile]
            self._above = _lines(self._tree.path(8, block, self._size)) + self._tail
        upper = [self._rows[level][at >> level ^ 1] for level in range(4, 8)]
        self._group, self._shared = index >> 4, b"".join([*upper, self._above])


def _lines(hashes: list[bytes]) -> bytes:
    return b"".join([binascii.b2a_base64(one) for one in hashes])


# --- 4. The zip file --------------------------------------------------------------------------------------
# Zip files leave much to their writers, and a reader that is lenient can be made to see other files than
# another reader does. An export has one form only: every byte that is not content is computed again from
# the list of files in the manifest and compared. What lies in the file is read here as it is listed there;
# nothing is unpacked to disk, and nothing is unpacked further than its listed size.

BIG = 0xFFFFFFFF
STORED, PACKED = 0, 8


class Member(NamedTuple):
    """A file in the zip; ``packed``: its bytes there."""

    name: str
    method: int
    crc: int
    size: int
    packed: int
    sha256: str = ""
    packed_sha256: str = ""
    offset: int = 0

    def before(self) -> bytes:
        name = self.name.encode()
        if self.method == STORED:
            sizes = (self.crc, self.packed, self.size, len(name), 0)
            return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, *sizes) + name
        head = struct.pack("<4s5H3L2H", b"PK\3\4", 45, 8, 8, 0, 33, 0, BIG, BIG, len(name), 20)
        return head + name + struct.pack("<2H2Q", 1, 16, 0, 0)

    def after(self) -> bytes:
        if self.method == STORED:
            return b""
        return struct.pack("<4sL2Q", b"PK\7\x08", self.crc, self.packed, self.size)

    def listed(self) -> bytes:
        name, numbers, more = self.name.encode(), (self.packed, self.size, self.offset), b""
        if max(numbers) >= BIG:
            more = struct.pack("<2H3Q", 1, 24, self.size, self.packed, self.offset)
            numbers = (BIG, BIG, BIG)
        needs, flags = (20, 0) if self.method == STORED and not more else (45, 8 if self.method else 0)
        return (
            struct.pack("<4s6HL", b"PK\1\2", 3 << 8 | 45, needs, flags, self.method, 0, 33, self.crc)
            + struct.pack("<2L5H2L", *numbers[:2], len(name), len(more), 0, 0, 0, 0o100644 << 16, numbers[2])
            + name
            + more
        )

    @property
    def end(self) -> int:
        return self.offset + len(self.before()) + self.packed + len(self.after())


def directory(members: list[Member]) -> bytes:
    """What stands at the end of the zip file: the list of its members, and where that is."""
    listed = b"".join(one.listed() for one in members)
    count, start, more = len(members), members[-1].end if members else 0, b""
    if count >= 0xFFFF or max(start, len(listed)) >= BIG:
        more = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(listed), start)
        more += struct.pack("<4sLQL", b"PK\6\7", 0, start + len(listed), 1)
        count, start, size = min(count, 0xFFFF), min(start, BIG), min(len(listed), BIG)
        return listed + more + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, start, 0)
    return listed + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(listed), start, 0)


def small_zip(files: list[tuple[str, bytes]]) -> bytes:
    """A zip file of small files, as the proofs come in: the same form, written out in a row."""
    parts, listed, offset = [], [], 0
    for name, content in files:
        said, size = name.encode(), len(content)
        numbers = struct.pack("<3L", zlib.crc32(content), size, size)
        parts += [b"PK\3\4\x14\0\0\0\0\0\0\0!\0", numbers, struct.pack("<2H", len(said), 0), said, content]
        listed += [b"PK\1\2-\3\x14\0\0\0\0\0\0\0!\0", numbers]
        listed += [struct.pack("<5H2L", len(said), 0, 0, 0, 0, 0o100644 << 16, offset), said]
        offset += 30 + len(said) + size
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(files), len(files), sum(map(len, listed)), offset, 0)
    return b"".join([*parts, *listed, end])


class Unpacked:
    """A member's content, read from front to back."""

    def __init__(self, file: BinaryIO, one: Member) -> None:
        self._file, self._at, self._left = file, one.offset + len(one.before()), one.packed
        self._inflate = zlib.decompressobj(-15) if one.method == PACKED else None
        self._name, self._room, self._held, self._waiting = one.name, one.size, b"", b""

    def take(self, count: int) -> bytes:
        """So many bytes, or what is left."""
        while len(self._held) < count and self._more():
            pass
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def lines(self) -> Iterator[bytes]:
        """Without their ends; each must have one, and none is longer than an entry can be."""
        while self._held or self._more():
            *whole, self._held = self._held.split(b"\n")
            yield from whole
            if len(self._held) > 65_535 or (not self._more() and self._held):
                raise Bad(f"{self._name}: a line without an end")

    def _more(self) -> bool:
        """Reads on; false at the end, which must be where the manifest says."""
        pending = self._inflate is not None and not self._inflate.eof
        if not (self._left or self._waiting or (pending and self._room)):
            if self._room or pending:
                raise Bad(f"{self._name}: not as long as the manifest says")
            return False
        if not self._waiting:
            self._file.seek(self._at)
            self._waiting = self._file.read(min(1 << 16, self._left))
            if self._left and not self._waiting:
                raise Bad(f"{self._name}: the file ends within it")
            self._at, self._left = self._at + len(self._waiting), self._left - len(self._waiting)
        found, self._waiting = self._waiting, b""
        if self._inflate:
            try:
                found = self._inflate.decompress(found, 1 << 18)
            except zlib.error:
                raise Bad(f"{self._name}: cannot be unpacked") from None
            self._waiting = self._inflate.unconsumed_tail
            if self._inflate.eof and (self._left or self._inflate.unused_data):
                raise Bad(f"{self._name}: something lies behind its end")
            if not (found or self._inflate.eof or self._left or self._waiting):
                raise Bad(f"{self._name}: not as long as the manifest says")
        self._room -= len(found)
        if self._room < 0:
            raise Bad(f"{self._name}: longer than the manifest says")
        self._held += found
        return True


# --- 5. The entries, and the table of them for a spreadsheet ----------------------------------------------
# An entry is JSON in its one canonical form (RFC 8785), so that nobody can read two things out of it.

FIELDS = ("actor", "correlation", "format", "object", "outcome", "previous", "reason", "seq", "tag", "time")
FORMATS = {1: FIELDS, 2: (*FIELDS, "uncertainty")}
COLUMNS = (
    "seq,time,uncertainty_ms,tag,outcome,reason,link,actor_role,actor_name,correlation,actor,object,sha256"
)
BEGINS = "=+@|%\uff1d\uff0b\uff0d\uff20-"  # what a formula may begin with
SUSPECT = frozenset(BEGINS + " \t\r\n\v\f\xa0")
WITHIN = re.compile(rf'([;\t\r\n\v\f])(?=["\s]*[{BEGINS}])')  # where others than commas part the cells

_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode
_decode = json.JSONDecoder().raw_decode
_made: Any = getattr(
    json.encoder, "c_make_encoder", None
)  # what _encode makes anew at each call, for nothing
_write = _made and _made(None, None, json.encoder.encode_basestring, None, ":", ",", True, False, True)


def _plain(value: Json) -> str:
    """JSON as Python writes it: as a rule that is the canonical form."""
    return "".join(_write(value, 0)) if _write and type(value) is dict else _encode(value)


def canonical(value: Json) -> str:
    """RFC 8785, also where Python's own writer does otherwise: fractions, and keys beyond 16 bits."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda one: one.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_plain(one)}:{canonical(value[one])}" for one in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if not isinstance(value, float):
        return _plain(value)
    digits = Decimal(repr(value))
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        text = format(abs(digits), "f")
        return ("-" if value < 0 else "") + (text.rstrip("0").rstrip(".") if "." in text else text)
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"


_WORD = r'"([^"\\\x00-\x1f]*)"'
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z"
TIME = re.compile(_TIME)
ENTRY = re.compile(
    rf'{{"actor":({{.*}}),"correlation":{_WORD},"format":([12]),"object":({{.*}}),"outcome":{_WORD},'
    rf'"previous":{_WORD},"reason":{_WORD},"seq":([1-9][0-9]{{0,17}}),"tag":{_WORD},'
    rf'"time":"({_TIME})"(?:,"uncertainty":(null|0|[1-9][0-9]{{0,17}}))?}}'
)


class Entry(NamedTuple):
    """An entry; ``actor`` and ``target`` also as they are written in it (``object`` is its name there)."""

    seq: int
    time: str
    late: str
    tag: str
    outcome: str
    reason: str
    correlation: str
    previous: str
    actor: Json
    target: Json
    actor_text: str
    target_text: str


def entry(line: bytes) -> Entry:
    """An entry, of which every part is where its form has it, and in the one way in which it can be written.

    As a rule that is read off the text; where something needs an escape, all of it is read and written again.
    """
    try:
        text = line.decode()
        found = ENTRY.fullmatch(text)
        if not found or (found[3] == "2") != (found[11] is not None):
            return _slowly(text)
        actor_text, correlation, _, target_text, outcome, previous, reason, seq, tag, time, late = (
            found.groups()
        )
        actor, target = _part(actor_text), _known(target_text)
    except (ValueError, RecursionError):
        raise Bad("it is no entry") from None
    late = "" if late in (None, "null") else late
    return Entry(
        int(seq),
        time,
        late,
        tag,
        outcome,
        reason,
        correlation,
        previous,
        actor,
        target,
        actor_text,
        target_text,
    )


def _known(text: str) -> Json:
    """A JSON object in its canonical form."""
    said, end = _decode(text)
    if type(said) is not dict or end != len(text) or (_plain(said) != text and canonical(said) != text):
        raise Bad("it is not in its canonical form")
    return said


_part = functools.lru_cache(maxsize=1024)(_known)  # the same few actors come again and again


def _slowly(text: str) -> Entry:
    said = json.loads(text)
    number = said.get("format") if type(said) is dict else None
    if type(number) is not int or tuple(said) != FORMATS.get(number):
        raise Bad("it has not the members of an entry")
    words = [said[name] for name in ("time", "tag", "outcome", "reason", "correlation", "previous")]
    late = said.get("uncertainty")
    whole = type(said["seq"]) is int and (late is None or type(late) is int)
    if {type(said["actor"]), type(said["object"])} != {dict} or set(map(type, words)) != {str} or not whole:
        raise Bad("it has not the members of an entry")
    if canonical(said) != text:
        raise Bad("it is not in its canonical form")
    if not TIME.fullmatch(said["time"]):
        raise Bad("its time is none")
    time, tag, outcome, reason, correlation, previous = words
    actor, target = said["actor"], said["object"]
    late = "" if late is None else str(late)
    texts = canonical(actor), canonical(target)
    return Entry(said["seq"], time, late, tag, outcome, reason, correlation, previous, actor, target, *texts)


def row(said: Entry, leaf: bytes) -> str:
    """An entry in the table."""
    who, link = said.actor, said.target.get("link", "")
    name = who.get("name") or who.get("partner") or who.get("client") or ""
    cells = [
        str(said.seq), said.time, said.late, said.tag, said.outcome, said.reason, link, who.get("role", ""),
        name, said.correlation,
    ]  # fmt: skip
    try:
        text = '","'.join(cells)
        quiet = text.count('"') == 18 and ";" not in text and text.isprintable()
        quiet = quiet and SUSPECT.isdisjoint([one[:1] for one in cells])
    except TypeError:
        quiet = False
    first = f'"{text}"' if quiet else ",".join(map(cell, cells))
    actor, target = said.actor_text, said.target_text
    if ";" in actor or ";" in target:
        actor, target = WITHIN.sub(r"\\u003b", actor), WITHIN.sub(r"\\u003b", target)
    actor, target = actor.replace('"', '""'), target.replace('"', '""')
    return f'{first},"{actor}","{target}","{leaf.hex()}"\r\n'


def cell(text: Json) -> str:
    """In quotes; what a spreadsheet would take for a formula has an apostrophe before it."""
    if type(text) is not str:
        text = ""
    text = WITHIN.sub(r"\1'", text)
    if text[:1] in SUSPECT:
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if '"' in text else f'"{text}"'


def moment(time: str) -> str:
    """For comparing: without the Z, and without zeroes at the end of a fraction."""
    time = time[:-1]
    return time.rstrip("0").rstrip(".") if time[-1:] in "0." and "." in time else time


# --- 6. The checks ----------------------------------------------------------------------------------------

BLOCK, PROOFS = 256, 2048  # entries compared at once; proofs in one zip
LOG = r"log/[0-9]{4}/(keys|checkpoint|cosigned|stamps/[0-9]{1,18}\.(tsr|txt)|tile/[0-9]+/[x0-9/.p]+)"
MEMBERS = re.compile(
    r"README\.txt|verify\.py|entries\.ndjson|neighbours\.ndjson|entries\.csv|auditevents\.(json|ndjson)|atna\.xml|"
    rf"manifest\.(json|note)|proofs/[0-9]+-[0-9]+\.zip|{LOG}"
)


class Fault(NamedTuple):
    """What does not hold. ``entry``: the number of the entry that is meant, if one is."""

    text: str
    entry: int | None = None


class Shard:
    """One year of the log, as far as the export shows it. ``under``: the head that the proofs lead to."""

    def __init__(
        self,
        said: Json,
        keys: list[Key],
        heads: dict[str, Head],
        stamps: dict[int, bytes],
        read: Callable[[str], bytes | None],
    ):
        self.origin, self.year, self.first = str(said["origin"]), int(said["year"]), int(said["first"])
        self.site, _, self.of = self.origin.rpartition("/")
        self.keys, self.heads, self.newest = keys, heads, heads["checkpoint"]
        self.under = heads[said["under"]]
        if any(one.origin != self.origin or one.size > self.newest.size for one in heads.values()):
            raise Bad(f"{self.origin}: a head of another log, or a newer one than the newest")
        if self.first < 1 or self.newest.size < 1 or self.of != f"{self.year:04}":
            raise Bad(f"{self.origin}: no year of a log that has entries")
        self.tree = Tree(self.newest.size, self.newest.root, read)
        for one in heads.values():
            if self.tree.root_at(one.size) != one.root:
                raise Bad(f"{self.origin}: its heads contradict each other; the log was forked")
        self.proofs = Proofs(self.tree, self.under)
        self.stamped = sorted(stamps)
        for size in self.stamped:
            text = f"{self.origin}\n{size}\n{b64(self.tree.root_at(size))}\n"
            if size > self.newest.size or stamps[size] != text.encode():
                raise Bad(f"{self.origin}: what was time-stamped at {size} entries is not a head of this log")
        self.last = self.first + self.newest.size - 1


class Opened:
    """A zip file: its manifest, and its members as they are listed there."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.length = file.seek(0, os.SEEK_END)
        start, listed = self._directory()
        names, last = self._names(listed)
        if names[-2:] != ["manifest.json", "manifest.note"] or len(set(names)) != len(names):
            raise Bad("this is no export: a manifest is missing, or a name comes twice")
        self.raw, self.note = (self._plain(one, start) for one in last)
        try:
            self.manifest = json.loads(self.raw)
            once = json.dumps(self.manifest, ensure_ascii=False, indent=1, allow_nan=False).encode()
            if once + b"\n" != self.raw:  # as where a name comes twice
                raise Bad("the manifest can be read in more than one way")
            self.members = self._members(self.manifest["members"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error):
            raise Bad("the manifest cannot be read") from None
        self.sound = [one.name for one in self.members] == names and start == self.members[-1].end
        self.sound = self.sound and self._rest(start) == directory(self.members)
        self.named = {one.name: one for one in self.members}

    def _read(self, at: int, count: int) -> bytes:
        self._file.seek(at)
        return self._file.read(count)

    def _rest(self, start: int) -> bytes:
        return self._read(start, self.length - start)

    def _directory(self) -> tuple[int, bytes]:
        try:
            end = self._read(max(0, self.length - 98), 98)
            sign, *_, size, start, comment = struct.unpack("<4s4H2LH", end[-22:])
            if sign != b"PK\5\6" or comment:
                raise Bad("this is no export: it does not end as a zip file does")
            if end[-42:-38] == b"PK\6\7":
                size, start = struct.unpack("<2Q", end[40:56])
        except struct.error:
            raise Bad("this is no export: it does not end as a zip file does") from None
        if start + size > self.length or size > 1 << 26:
            raise Bad("this is no export: its list of files is not where it says")
        return start, self._read(start, size)

    def _names(self, listed: bytes) -> tuple[list[str], list[tuple[int, int, int]]]:
        """The names in the list; of the last two, where they lie: length of the name, size, offset."""
        names, places, at = [], [(0, 0, 0)], 0
        try:
            while at < len(listed):
                sign, size, name, more, comment, offset = struct.unpack_from("<4s20xL3H8xL", listed, at)
                if sign != b"PK\1\2":
                    raise Bad("this is no export: its list of files cannot be read")
                names.append(listed[at + 46 : at + 46 + name].decode("ascii"))
                if offset == BIG:
                    (offset,) = struct.unpack_from("<20xQ", listed, at + 46 + name)
                places, at = [places[-1], (name, size, offset)], at + 46 + name + more + comment
        except (struct.error, UnicodeDecodeError):
            raise Bad("this is no export: its list of files cannot be read") from None
        return names, places

    def _plain(self, place: tuple[int, int, int], end: int) -> bytes:
        name, size, offset = place
        if size > 1 << 26 or offset + 30 + name + size > end:
            raise Bad("this is no export: its manifest is not where it says")
        return self._read(offset + 30 + name, size)

    def _members(self, listed: Json) -> list[Member]:
        found: list[Member] = []
        for one in listed:
            numbers = crc, size, packed = one["crc32"], one["size"], one["packed"]
            method = {"stored": STORED, "deflated": PACKED}[one["method"]]
            if any(type(number) is not int or not 0 <= number < 1 << 62 for number in numbers):
                raise ValueError("a number")
            offset = found[-1].end if found else 0
            hashes = one["sha256"], one["packed_sha256"]
            if not all(re.fullmatch("[0-9a-f]{64}", value) for value in hashes):
                raise ValueError("a hash")
            found.append(Member(str(one["name"]), method, crc, size, packed, *hashes, offset))
        for name, raw in (("manifest.json", self.raw), ("manifest.note", self.note)):
            offset = found[-1].end if found else 0
            found.append(Member(name, STORED, zlib.crc32(raw), len(raw), len(raw), offset=offset))
        return found

    def faults(self) -> Iterator[Fault]:
        """Where the file is not as its manifest says, byte for byte."""
        if not self.sound:
            yield Fault("the zip file's own list of files is not that of the manifest")
        if not all(MEMBERS.fullmatch(one) for one in self.named):
            yield Fault("the zip file holds a file that no export has")
        for one in self.members:
            start = one.offset + len(one.before())
            if self._read(one.offset, start - one.offset) != one.before():
                yield Fault(f"{one.name}: what stands before it is not as it was written")
            elif self._read(start + one.packed, len(one.after())) != one.after():
                yield Fault(f"{one.name}: what stands behind it is not as it was written")
            elif one.packed_sha256 and not self._same(one, start):
                yield Fault(f"{one.name}: not as it was written (its hash is another)")

    def _same(self, one: Member, start: int) -> bool:
        found, left = hashlib.sha256(), one.packed
        self._file.seek(start)
        while left and (part := self._file.read(min(1 << 20, left))):
            found.update(part)
            left -= len(part)
        stored = one.method == PACKED or (one.packed == one.size and one.sha256 == one.packed_sha256)
        return stored and not left and found.hexdigest() == one.packed_sha256

    def content(self, name: str, most: int = 1 << 20) -> bytes | None:
        """A small member that lies there as it is; None: there is none."""
        one = self.named.get(name)
        if one is None or one.method != STORED or one.size > most:
            return None
        return self._read(one.offset + len(one.before()), one.size)

    def unpacked(self, name: str) -> Unpacked:
        if name not in self.named:
            raise Bad(f"{name} is missing")
        return Unpacked(self._file, self.named[name])

    def shards(self) -> list[Shard]:
        """The years of the log in it, with their heads; no signature is checked yet."""
        try:
            return [self._shard(one) for one in self.manifest["shards"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Bad("the manifest does not say which years of the log these are") from None

    def _shard(self, said: Json) -> Shard:
        folder = f"log/{int(said['year']):04}/"
        keys = [key(line) for line in (self.content(f"{folder}keys") or b"").decode().splitlines()]
        raw = {name: self.content(f"{folder}{name}") for name in ("checkpoint", "cosigned")}
        heads = {name: head(one) for name, one in raw.items() if one}
        stamps = {
            int(one[len(folder) + 7 : -4]): self.content(one) or b""
            for one in self.named
            if one.startswith(f"{folder}stamps/") and one.endswith(".txt")
        }
        return Shard(said, keys, heads, stamps, lambda path: self.content(folder + path))


class Trust(NamedTuple):
    """Keys known from elsewhere: of the log, and of witnesses that must have signed."""

    log: list[Key]
    witnesses: list[Key]

    def of(self, shard: Shard) -> list[Key]:
        """The shard's keys that are believed: a log has the same key each year, under the year's name."""
        if not self.log:
            return [one for one in shard.keys if one.name == shard.origin]
        year = f"/{shard.origin.rpartition('/')[2]}"
        found = [one._replace(name=one.site + year) for one in self.log]
        return [one for one in found if one.name == shard.origin]


class Checks:
    """All checks of one export. ``faults``: what does not hold; ``said``: what was found, for the report."""

    def __init__(self, export: Opened, trust: Trust) -> None:
        self.export, self.trust, self.manifest = export, trust, export.manifest
        self.faults: list[Fault] = []
        self.said: list[tuple[str, str]] = []
        self.limits: list[str] = []
        self.shards: list[Shard] = []
        self.count, self.first, self.last, self.back, self.outside = 0, "", "", 0, 0
        self.seq, self.leaf, self.stopped = 0, b"", False
        self.proved: set[str] = set()
        self.open = ""  # what could not be checked, and was asked for

    def all(self, earlier: Opened | None) -> None:
        self.faults += self.export.faults()
        try:
            self.whole = self.manifest["whole"] is True
            asked = self.manifest["asked"]
            self.since, self.until = asked["from"], asked["to"]
            self._low, self._high = moment(self.since or ""), moment(self.until) if self.until else "~"
            self.total, self.start = int(self.manifest["count"]), self.manifest["first"] or 0
            beside = self.manifest["neighbours"]
            self.beside = beside["before"] or 0, beside["after"] or 0
            if not all(one is None or TIME.fullmatch(one) for one in (self.since, self.until)):
                raise Bad("what was asked for is no time")
            self.shards = self.export.shards()
            self._years()
            self._heads()
            self._manifest()
        except Bad as wrong:
            self.faults.append(Fault(str(wrong)))
        except (ValueError, LookupError, TypeError, AttributeError):
            self.faults.append(Fault("the manifest does not say what it must"))
            return
        self._entries()
        self._attempt(self._nothing_else)
        if self.whole and self.shards and not self.stopped:
            self._attempt(self._ends)
        if earlier is not None:
            self._attempt(lambda: self._compared(earlier))

    def _attempt(self, check: Callable[[], None], entry: int | None = None) -> bool:
        try:
            check()
        except Bad as wrong:
            self.faults.append(Fault(str(wrong), entry))
            return False
        return True

    def _years(self) -> None:
        """Each year begins where the one before it ended: nothing hides in between, or is there twice."""
        for one, then in zip(self.shards, self.shards[1:]):
            if then.first != one.last + 1 or then.year <= one.year or then.site != one.site:
                raise Bad(f"{then.origin}: it does not begin where {one.origin} ends")

    def _heads(self) -> None:
        """Each head is signed by the log, and by the witnesses that are asked for."""
        for shard in self.shards:
            for one in shard.heads.values():
                by = [who for who in self.trust.of(shard) if self._signed(who, one) is not None]
                if not by:
                    raise Bad(f"{shard.origin}: its head is not signed by the log's key")
            self.said.append(("log", f"{shard.origin}: {shard.newest.size} entries, signed by {by[0]}"))
            for who in self.trust.witnesses:
                self._witnessed(shard, who)
        for shard in self.shards:
            for size in shard.stamped:
                name = f"log/{shard.year:04}/stamps/{size}"
                self.limits.append(
                    f"The RFC 3161 time-stamp of {shard.origin} at {size} entries: its text is a head of"
                    " this log; whether it is good, tells:"
                    f" openssl ts -verify -data {name}.txt -in {name}.tsr -CAfile AUTHORITY"
                )
        if not self.trust.log:
            self.limits.append(
                "Whose log this is: the key was taken from the export itself, and anybody can make an export"
                " with a key of his own. Compare the key with one that you have from elsewhere (--log-key)."
            )
        if not self.trust.witnesses:
            self.limits.append(
                "Whether the log shows the same to everybody: who holds its key can sign two logs. A witness"
                " (--witness) or an earlier export (--against) would show that."
            )

    def _signed(self, who: Key, one: Head) -> int | None:
        try:
            return signed_by(who, one.text, one.signatures, one)
        except Unable as why:
            self.limits.append(f"{one.origin}: not checked: {why}.")
            return None

    def _witnessed(self, shard: Shard, who: Key) -> None:
        if who.public in {one.public for one in (*shard.keys, *self.trust.of(shard))}:
            raise Bad(f"the witness {who.name} has the key of the log itself, and so proves nothing")
        seen = [(one, signed_by(who, one.text, one.signatures, one)) for one in shard.heads.values()]
        signed = [(one.size, at) for one, at in seen if at]
        if not signed:
            self.faults.append(Fault(f"{shard.origin}: the witness {who.name} has signed none of its heads"))
            return
        size, at = max(signed)
        self.said.append(("witness", f"{who.name} signed {shard.origin} at {size} entries, {_utc(at or 0)}"))
        if shard is not self.shards[-1]:
            self.limits.append(
                f"That {shard.origin} ended at {shard.newest.size} entries for everybody: a witness signs"
                f" each year by itself. Ask {who.name} for the last head of that year that it signed."
            )
        wanted = self.manifest["last"] or 0
        if size < min(wanted, shard.last) - shard.first + 1:
            self.faults.append(
                Fault(
                    f"{shard.origin}: the witness {who.name} has signed only {size} entries",
                    shard.first + size,
                )
            )
        elif self.whole and size < min(max(self.beside), shard.last) - shard.first + 1:
            self.limits.append(
                f"That the range ends for everybody where it ends here: the witness {who.name} has not signed"
                f" the entry behind it, but only {size} entries of {shard.origin}."
            )

    def _manifest(self) -> None:
        """It is signed with the log's key: the one that signed the newest head."""
        text, signatures = note(self.export.note)
        expected = f"export of an audit log\n{hashlib.sha256(self.export.raw).hexdigest()}\n"
        keys = [one for one in self.trust.of(self.shards[-1]) if one.kind == 1] if self.shards else []
        if text != expected:
            raise Bad("the manifest is not the one that was signed")
        if len(signatures) != 1 or not any(signed_by(one, text, signatures) == 0 for one in keys):
            raise Bad("the manifest is not signed with the log's key")

    def _entries(self) -> None:
        """Every entry: form, place in the tree, order; the table and the proofs say what they must."""
        lines: Iterator[bytes] = iter(())
        proofs = Compared(self.export, "", "a proof is not that of the entry")
        table = Compared(self.export, "entries.csv", "the table says something else than the entry")
        batch: list[tuple[int, bytes]] = []
        try:
            lines = self.export.unpacked("entries.ndjson").lines()
            table.expect([(0, f"\ufeff{COLUMNS}\r\n".encode())])
            while block := self._block(lines):
                table.expect([(seq, text) for seq, text, _ in block])
                batch += [(seq, proof) for seq, _, proof in block]
                while len(batch) >= PROOFS or (self.count == self.total and batch):
                    self.proved.add(proofs.zipped(batch[:PROOFS]))
                    del batch[:PROOFS]
                if self.stopped:
                    break
            if not self.stopped:
                self._counted()
                table.end()
        except Bad as wrong:
            self.faults.append(Fault(str(wrong), self.start + self.count if self.whole else None))
            self.stopped = True
        self.faults += table.faults + proofs.faults

    def _nothing_else(self) -> None:
        """No file of the log or of proofs that nothing here has looked at, and that others might believe."""
        years = {f"log/{one.year:04}/": one for one in self.shards}
        for name in self.export.named if years else ():
            shard, (kind, level, *rest) = years.get(name[:9]), (*name[9:].partition(".p/")[0].split("/"), "")
            if name.startswith("log/") and shard is None:
                raise Bad(f"{name}: of a year that the manifest does not name")
            if name.startswith("proofs/") and name not in self.proved and not self.stopped:
                raise Bad(f"{name}: proofs of what is not in it")
            if shard is not None and kind == "tile":
                high, number = int(level), int("".join(rest).replace("x", ""))
                width = min(256, (shard.newest.size >> 8 * high) - 256 * number)
                if width < 1 or tile_path(high, number, width) != name[9:]:
                    raise Bad(f"{name}: no tile of the tree")
                shard.tree.tile(high, number)

    def _counted(self) -> None:
        if self.count != self.total:
            self.stopped = True
            what = f"{self.total - self.count} entries are missing at the end"
            self.faults.append(Fault(what, self.seq + 1 if self.whole else None))
        elif (self.manifest["last"] or 0) != self.seq:
            self.faults.append(Fault("the manifest names another last entry", self.seq or None))

    def _block(self, lines: Iterator[bytes]) -> list[tuple[int, bytes, bytes]]:
        """The next entries: number, row of the table, proof. Ends before the first that is not right."""
        found: list[tuple[int, bytes, bytes]] = []
        for line in lines:
            try:
                found.append(self._one(line))
            except Bad as wrong:
                at = self.start + self.count if self.whole else self._number(line)
                self.faults.append(Fault(f"line {self.count + 1} of entries.ndjson: {wrong}", at))
                self.stopped = True
                break
            self.count += 1
            if len(found) == BLOCK:
                break
        return found

    def _number(self, line: bytes) -> int | None:
        found = re.search(rb'"seq":([0-9]{1,18}),"tag":', line)
        return int(found[1]) if found else None

    def _one(self, line: bytes) -> tuple[int, bytes, bytes]:
        said = entry(line)
        leaf, seq, time = leaf_hash(line), said.seq, moment(said.time)
        shard = self._shard
        if shard is None or not shard.first <= seq <= shard.last:
            shard = self._shard = self._holding(seq)
        index = seq - shard.first
        if len(line) > 65_535 or shard.tree.tile(0, index >> 8)[0][index & 255] != leaf:
            raise Bad("it is not what the log holds at its place")
        if self.count == 0:
            self.before, self.first = said.previous, time
            if seq != self.start:
                raise Bad(f"entry {seq} stands in the place of entry {self.start}")
        elif seq == self.seq + 1:
            if said.previous != self.leaf.hex():
                raise Bad("it does not continue the entry before it")
        elif seq <= self.seq or self.whole:
            raise Bad(f"entry {seq} follows entry {self.seq}")
        if time[:4] > shard.of:
            raise Bad("its time is of a later year than the part of the log in which it stands")
        if index >= shard.under.size:
            raise Bad("the head that the proofs are made for does not have it yet")
        self.back += time < self.last
        self.outside += not self._low <= time < self._high
        self.seq, self.leaf, self.last = seq, leaf, time
        return seq, row(said, leaf).encode(), shard.proofs.of(index)

    before = ""
    _shard: Shard | None = None
    _low, _high = "", "~"

    def _holding(self, seq: int) -> Shard:
        for shard in self.shards:
            if shard.first <= seq <= shard.last:
                return shard
        raise Bad("no head of the export has an entry of its number")

    def _ends(self) -> None:
        """Nothing is cut off: what stands before and behind is another entry, or the log begins or ends."""
        beside: dict[int, Json] = {}
        for line in (self.export.content("neighbours.ndjson") or b"").splitlines():
            said = entry(line)
            shard = self._holding(said.seq)
            if shard.tree.node(0, said.seq - shard.first) != leaf_hash(line):
                raise Bad(f"neighbours.ndjson: entry {said.seq} is not what the log holds at its place")
            beside[said.seq] = {**said._asdict(), "leaf": leaf_hash(line).hex()}
        before, after = (beside.pop(seq, None) for seq in self.beside)
        if beside:
            raise Bad("neighbours.ndjson holds more than the neighbours")
        self._front(before, after)
        self._back(before, after)

    def _front(self, before: Json, after: Json) -> None:
        first, previous = (self.start, self.before) if self.count else (after and after["seq"], "")
        if before:
            follows = after and after["previous"] if not self.count else previous
            if first and (before["seq"] != first - 1 or follows != before["leaf"]):
                raise Bad("the entry before the range is not the one that its first entry continues")
            if not self.since or moment(before["time"]) >= moment(self.since):
                raise Bad("the range is cut: the entry before it belongs to it")
            return
        if first and first != self.shards[0].first:
            raise Bad("the range is cut: what stood before it is not shown")
        if first and first > 1:
            begins = f"{self.shards[0].year:04}"  # a year of the log has no entry of a later year
            if not self.since or self.since[:4] < begins:
                self.limits.append(
                    f"What stood before entry {first}: the range begins with the oldest year of the log that"
                    " this export shows; whether there is or was an older one, it does not tell."
                )
        elif self.count and previous != "0" * 64:
            raise Bad("the first entry of the log continues another")

    def _back(self, before: Json, after: Json) -> None:
        last = self.seq if self.count else (before and before["seq"]) or 0
        if after:
            if self.count and (after["seq"] != last + 1 or after["previous"] != self.leaf.hex()):
                raise Bad("the entry behind the range does not continue its last entry")
            if not self.until or moment(after["time"]) < moment(self.until):
                raise Bad("the range is cut: the entry behind it belongs to it")
            return
        if last != self.shards[-1].last:
            raise Bad("the range is cut: what stands behind it is not shown")
        self.limits.append(
            f"What came after entry {last}: it is the newest under the heads in this export; whether the log"
            " had newer ones when the export was made, it does not tell."
        )

    def _compared(self, earlier: Opened) -> None:
        try:
            self._continues(earlier)
        except Missing as what:
            self.open = f"{what}; without it, nobody can tell whether this continues the earlier export"

    def _continues(self, earlier: Opened) -> None:
        """Each head of the earlier export is one that this log had."""
        here, seen = {one.origin: one for one in self.shards}, 0
        for old in earlier.shards():
            new = here.get(old.origin)
            for one in old.heads.values():
                if not any(self._signed(who, one) is not None for who in self._both(old)):
                    raise Bad(f"{old.origin}: the earlier head is not signed by the same key")
            if new is None:
                self._left_out(old)
                continue
            for one in old.heads.values():
                seen += 1
                self._continued(old, new, one)
        if not seen:
            raise Bad("the two exports have no year of a log in common")

    def _left_out(self, old: Shard) -> None:
        """An export has all years of its log, from the oldest that is not yet disposed of."""
        if any(one.site == old.site and one.first <= old.last for one in self.shards):
            raise Bad(
                f"{old.origin}: the earlier export has that year from entry {old.first} on, and this one does"
                " not: the log was cut, or there are two"
            )
        self.limits.append(f"{old.origin}: this export does not hold that year, the earlier one does.")

    def _both(self, old: Shard) -> list[Key]:
        """Where no key is known from elsewhere, both exports must at least have the same."""
        known = {one for shard in self.shards for one in self.trust.of(shard)}
        same = {(one.site, one.kind, one.public) for one in known}
        return [one for one in self.trust.of(old) if (one.site, one.kind, one.public) in same]

    def _continued(self, old: Shard, new: Shard, one: Head) -> None:
        if one.size > new.newest.size:
            raise Bad(
                f"{old.origin}: the log had {one.size} entries in the earlier export, and has"
                f" {new.newest.size} now: it was cut, or this is another"
            )
        if new.tree.root_at(one.size) != one.root or new.first != old.first:
            raise Bad(
                f"{old.origin}: the first {one.size} entries are not those of the earlier export: the log was"
                " rewritten, or there are two"
            )
        self.said.append(("earlier", f"{old.origin}: continues the {one.size} entries of the earlier export"))


class Compared:
    """A form made from the entries: it must be, byte for byte, what comes out when it is made again."""

    def __init__(self, export: Opened, name: str, wrong: str) -> None:
        self._export, self._wrong, self.faults = export, wrong, list[Fault]()
        self._content = export.unpacked(name) if name in export.named else None
        if name and not self._content:
            self.faults.append(Fault(f"{name} is missing"))

    def expect(self, parts: list[tuple[int, bytes]]) -> None:
        """The next parts, with the entries they are of. After the first fault, nothing is compared."""
        whole = b"".join([part for _, part in parts])
        if self.faults or not self._content:
            return
        try:
            found = self._content.take(len(whole))
        except Bad as wrong:
            self.faults.append(Fault(str(wrong)))
            return
        if found == whole:
            return
        for seq, part in parts:
            if found[: len(part)] != part:
                self.faults.append(Fault(f"{self._wrong} {seq}", seq or None))
                return
            found = found[len(part) :]

    def end(self) -> None:
        try:
            if not self.faults and self._content and self._content.take(1):
                self.faults.append(Fault("the table goes on behind the last entry"))
        except Bad as wrong:
            self.faults.append(Fault(str(wrong)))

    def zipped(self, batch: list[tuple[int, bytes]]) -> str:
        """The zip with these proofs; its name."""
        name = f"proofs/{batch[0][0]:09}-{batch[-1][0]:09}.zip"
        if self.faults:
            return name
        if name not in self._export.named:
            self.faults.append(Fault(f"{name} is missing", batch[0][0]))
            return name
        self._content = self._export.unpacked(name)
        files = [(f"{seq}.tlog-proof", proof) for seq, proof in batch]
        self.expect([(batch[0][0], small_zip(files))])
        self.end()
        return name


def _utc(at: int) -> str:
    import datetime

    try:
        utc = datetime.timezone.utc  # noqa: UP017 - also for Python 3.9
        return datetime.datetime.fromtimestamp(at, utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "at no time that there is"


# --- 7. The report ----------------------------------------------------------------------------------------


def shown(checks: Checks) -> list[str]:
    """What has been proven, where everything holds."""
    asked, count = checks.manifest["asked"], checks.count
    found = ["Every byte of the file is as it was when it was signed with the log's key."]
    if count:
        found.append(
            f"Each of the {count} entries is in the log, unchanged and at its place; the times go from"
            f" {checks.first}Z to {checks.last}Z."
        )
    if checks.whole:
        said = f"from {asked['from'] or 'the beginning'} until {asked['to'] or 'the end'}"
        found.append(
            f"The range is complete: of what the log has {said}, nothing was left out, also not at its ends,"
            " as far as the years and heads in this export go."
        )
    found += ["The table (entries.csv) says what the entries say.", "Each entry has its proof (proofs/)."]
    return found


def not_shown(checks: Checks) -> list[str]:
    """What this cannot prove, whatever holds."""
    found = list(checks.limits)
    if not checks.whole:
        found.insert(
            0,
            "That these are all the entries of what was asked for: this is a FILTERED export. It proves what"
            " it shows; entries that the filter should have found may have been left out, and nobody can tell"
            " from this file. Ask for a whole range to be sure.",
        )
    found.append(
        "That AuditEvents and ATNA messages say what the entries say: they are as they were signed, and the"
        ' command "python -m audit events" of the software makes them again. In doubt, the entries count.'
    )
    found.append(
        "That the entries are true: a log proves what was written and when it was bound, not what happened."
    )
    if checks.back:
        found.append(
            f"The order by time: {checks.back} times the log's clock went back; the numbers give the order."
        )
    if checks.whole and max(checks.beside):
        found.append(
            "That nothing farther away has a time in the range: the entries right before and behind it lie"
            " outside, and others could lie within only if the clock was set."
        )
    if checks.whole and checks.outside:
        found.append(
            f"{checks.outside} entries in the range have a time outside of it: the clock was set meanwhile."
        )
    return found


def report(checks: Checks, path: str, digest: str) -> str:
    manifest, number = checks.manifest, first_bad(checks.faults)
    made, asked = manifest.get("made", {}), manifest.get("asked", {})
    wanted = ", ".join(f"{name} {value}" for name, value in asked.items() if value) or "the whole log"
    lines = [
        "REPORT ON AN EXPORT OF AN AUDIT LOG",
        "",
        f"file      {printable(os.path.basename(path))}, SHA-256 {digest}",
        f"asked     {printable(wanted)}",
        f"made      {printable(made.get('at'))} by {printable(made.get('by'))},"
        f" because {printable(made.get('because'))}",
        f"entries   {checks.count}",
        *(f"{name:<9} {printable(text)}" for name, text in checks.said),
        "",
    ]
    if checks.faults:
        lines += ["WHAT DOES NOT HOLD", *(f"  - {printable(one.text)}" for one in checks.faults[:20])]
        lines += ["", f"FIRST BAD ENTRY  {number}" if number else "No single entry can be named.", ""]
        lines.append("VERDICT  This export is NOT as the log gave it out. Nothing of it is to be relied on.")
        return "\n".join(lines)
    lines += ["WHAT THIS PROVES", *(f"  - {printable(one)}" for one in shown(checks)), ""]
    lines += ["WHAT THIS CANNOT PROVE", *(f"  - {printable(one)}" for one in not_shown(checks)), ""]
    if checks.open:
        lines.append(
            f"VERDICT  What this proves stands, but it could NOT be compared: {printable(checks.open)}. Ask"
            " for a whole range, or for an export that is made after the earlier one where that was made."
        )
        return "\n".join(lines)
    lines.append(
        "VERDICT  The export is good" + ("." if checks.whole else ", as far as a filtered one can be.")
    )
    return "\n".join(lines)


def printable(text: Json) -> str:
    """On one line, and nothing that a terminal would obey."""
    text = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else "?" for one in text)[:600]


def first_bad(faults: list[Fault]) -> int | None:
    return min((one.entry for one in faults if one.entry), default=None)


def check(path: str, against: str | None, trust: Trust) -> tuple[str, int, int | None]:
    """The report, the exit code, and the first bad entry."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while part := file.read(1 << 20):
                digest.update(part)
            checks = Checks(Opened(file), trust)
            if against is None:
                checks.all(None)
            else:
                with open(against, "rb") as other:
                    checks.all(Opened(other))
        said = report(checks, path, digest.hexdigest())
    except Bad as wrong:
        return f"VERDICT  This is NOT good: {printable(str(wrong))}", 1, None
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, struct.error):
        return "VERDICT  This is NOT good: what it says of itself has not the form that exports have", 1, None
    return said, 1 if checks.faults else 2 if checks.open else 0, first_bad(checks.faults)


def main(arguments: list[str] | None = None, program: str | None = None) -> int:
    parser = argparse.ArgumentParser(prog=program, description="Checks an export of an audit log.")
    parser.add_argument("export", metavar="EXPORT.zip")
    parser.add_argument("--against", metavar="EARLIER.zip", help="an earlier export of the same log")
    parser.add_argument("--log-key", metavar="VKEY", action="append", default=[], help="the log's key")
    parser.add_argument("--witness", metavar="VKEY", action="append", default=[], help="must have signed")
    given = parser.parse_args(arguments)
    try:
        if sys.version_info < (3, 9):  # noqa: UP036 - an auditor has the Python that he has
            raise Unable("this needs Python 3.9 or later")
        trust = Trust([key(one) for one in given.log_key], [key(one) for one in given.witness])
        text, code, _ = check(given.export, given.against, trust)
    except (OSError, Unable, Bad) as why:
        sys.stderr.write(f"It could not be checked: {printable(str(why))}\n")
        return 2
    sys.stdout.buffer.write(f"{text}\n".encode())
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
