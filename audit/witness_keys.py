"""Private keys in a file that only its owner may read: one a line, in the form that goes with a "vkey".

``PRIVATE+KEY+<name>+<id>+<base64 of type and seed>``: the form in which the note tools of Go's checksum
database keep theirs.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from audit import primitives
from audit.notes import Kind, NoteRefused, decoded, encoded
from audit.signing import Signer

_LONGEST: Final = 64 * 1024  # bytes of a file of keys
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LINE: Final = re.compile(r"PRIVATE\+KEY\+(?P<name>[^+]+)\+(?P<id>[0-9a-f]{8})\+(?P<seed>[A-Za-z0-9+/=]+)")


class KeyFileRefused(ValueError):
    """A file that holds no keys, or that others may read; the text holds nothing of it."""


def make(path: Path, name: str, kinds: Iterable[Kind]) -> tuple[Signer, ...]:
    """Make new keys and write them to a file that is not there yet, on the disk when this returns.

    Raises ``KeyFileRefused``, and ``NoteRefused`` for a name that a key cannot have.
    """
    made = [(kind, os.urandom(primitives.SEED)) for kind in kinds]
    signers = tuple(primitives.signer(name, kind, seed) for kind, seed in made)
    lines = [_line(signer, kind, seed) for signer, (kind, seed) in zip(signers, made)]
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("".join(lines))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise KeyFileRefused("there is a file already; a key is never written over") from None
    except OSError as error:
        raise KeyFileRefused(f"it cannot be written ({type(error).__name__})") from None
    return signers


def read(path: Path) -> tuple[Signer, ...]:
    """The keys in a file, at least one. Raises ``KeyFileRefused``."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise KeyFileRefused(f"it cannot be read ({type(error).__name__})") from None
    if not stat.S_ISREG(found.st_mode) or found.st_mode & _OTHERS or found.st_uid not in (0, os.geteuid()):
        raise KeyFileRefused("others may read it; it must be its owner's alone (chmod 600)")
    try:
        lines = content.decode("utf-8").splitlines() if len(content) <= _LONGEST else []
    except UnicodeDecodeError:
        lines = []
    signers = tuple(map(_signer, lines))
    if not signers or len({signer.key.id for signer in signers}) < len(signers):
        raise KeyFileRefused("it holds no keys, or one twice")
    return signers


def _line(signer: Signer, kind: Kind, seed: bytes) -> str:
    key = signer.key
    return f"PRIVATE+KEY+{key.name}+{key.id.hex()}+{encoded(bytes([kind]) + seed)}\n"


def _signer(line: str) -> Signer:
    found = _LINE.fullmatch(line)
    try:
        if not found:
            raise NoteRefused("no key")
        kind, *seed = decoded(found["seed"])
        signer = primitives.signer(found["name"], Kind(kind), bytes(seed))
    except ValueError:
        raise KeyFileRefused("a line is no private key") from None
    if signer.key.id.hex() != found["id"]:
        raise KeyFileRefused("the id is not that of the key")
    return signer
