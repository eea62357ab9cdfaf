"""Signed notes (C2SP signed-note): text, a blank line, signatures; and the names of the keys that sign.

Pure form: nothing here computes a signature. Parsing is strict: what is accepted is written back as it was,
byte for byte.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from enum import IntEnum
from typing import Final, NamedTuple

MOST_SIGNATURES: Final = 100
LONGEST: Final = 1 << 20  # bytes of a whole note; a hundred signatures of ML-DSA-44 are 330,000
ID: Final = 4  # bytes of a key's id
STAMP: Final = 8  # bytes of the time in a cosignature

_DASH: Final = "\N{EM DASH} "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY: Final = re.compile(r"(?P<name>[^+]+)\+(?P<id>[0-9a-f]{8})\+(?P<public>[A-Za-z0-9+/=]+)")


class NoteRefused(ValueError):
    """No signed note, no key, or signatures that do not do; the text holds nothing of it."""


class Kind(IntEnum):
    """The types of signature that are understood, by their identifier byte."""

    ED25519 = 0x01  # over the text
    COSIGNATURE = 0x04  # tlog-cosignature: Ed25519, over a time and the text
    ML_DSA_44 = 0x06  # tlog-cosignature: ML-DSA-44, over names, time, size and root of a checkpoint

    @property
    def stamped(self) -> bool:
        """Whether a time stands before the signature and is signed with it."""
        return self is not Kind.ED25519


PUBLIC: Final = {Kind.ED25519: 32, Kind.COSIGNATURE: 32, Kind.ML_DSA_44: 1312}  # bytes
SIGNED: Final = {Kind.ED25519: 64, Kind.COSIGNATURE: 64, Kind.ML_DSA_44: 2420}  # without the time


class Key(NamedTuple):
    """A public key under a name: what a reader trusts. ``public`` is raw, as RFC 8032 or FIPS 204 has it."""

    name: str
    kind: Kind
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, type and public key."""
        said = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(said).digest()[:ID]

    def __str__(self) -> str:
        """As it is handed on (a "vkey"): name, id, type and key."""
        return f"{self.name}+{self.id.hex()}+{encoded(bytes([self.kind]) + self.public)}"


class Signature(NamedTuple):
    """One line below a note. ``value``: what follows the key's id, with its time where it has one."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encoded(self.key_id + self.value)}\n"


class Note(NamedTuple):
    """A text that ends in a newline, and its signatures: none of them checked yet."""

    text: str
    signatures: tuple[Signature, ...]

    def written(self) -> bytes:
        """The note as it lies on disk. Raises ``NoteRefused`` for what ``parse`` would not read the same."""
        raw = f"{self.text}\n{''.join(map(str, self.signatures))}".encode("utf-8", "surrogatepass")
        if parse(raw) != self:
            raise NoteRefused("a text that no note can hold")
        return raw


def parse(raw: bytes) -> Note:
    """A signed note. Raises ``NoteRefused``."""
    if len(raw) > LONGEST:
        raise NoteRefused("longer than a note is")
    try:
        whole = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise NoteRefused("a note is UTF-8") from None
    if _CONTROL.search(whole):
        raise NoteRefused("a control character in a note")
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NoteRefused("a note has a text, a blank line and signatures, each line with its end")
    signatures = lines[:-1].split("\n")
    if len(signatures) > MOST_SIGNATURES:
        raise NoteRefused("more signatures than a note has")
    return Note(f"{text}\n", tuple(map(_signature, signatures)))


def _signature(line: str) -> Signature:
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise NoteRefused("no line of a signature")
    name, value = named(parts[0]), decoded(parts[1])
    if len(value) <= ID:
        raise NoteRefused("no line of a signature")
    return Signature(name, value[:ID], value[ID:])


def named(name: str) -> str:
    """A name that a key may have. Raises ``NoteRefused``."""
    spoilt = any(one.isspace() or one == "+" or one < " " or "\ud800" <= one <= "\udfff" for one in name)
    if not name or spoilt:
        raise NoteRefused("a key's name is not empty and has no space and no plus")
    return name


def key(name: str, kind: Kind, public: bytes) -> Key:
    """A key, its name and its length looked at. Raises ``NoteRefused``."""
    if len(public) != PUBLIC[kind]:
        raise NoteRefused(f"a public key of type {kind:#04x} has {PUBLIC[kind]} bytes")
    return Key(named(name), kind, public)


def parse_key(written: str) -> Key:
    """A key as ``str`` writes it. Raises ``NoteRefused``, also where its id is not that of the key."""
    found = _KEY.fullmatch(written)
    if not found:
        raise NoteRefused("no key: NAME+ID+KEY is asked for")
    kind, *public = decoded(found["public"])
    if kind not in set(Kind):
        raise NoteRefused("a type of key that is not understood")
    made = key(found["name"], Kind(kind), bytes(public))
    if made.id.hex() != found["id"]:
        raise NoteRefused("the id is not that of the key")
    return made


def encoded(value: bytes) -> str:
    """Base 64 of RFC 4648 section 4."""
    return binascii.b2a_base64(value, newline=False).decode("ascii")


def decoded(text: str) -> bytes:
    """What base 64 says, if it says it in the one right way and says anything. Raises ``NoteRefused``."""
    try:
        value = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise NoteRefused("no base 64") from None
    if not value or encoded(value) != text:
        raise NoteRefused("base 64 in another than its one right form")
    return value
