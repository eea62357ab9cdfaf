"""Where the sealed log lies on disk: a directory, and in it one for each shard (C2SP tlog-tiles). Read side.

    <directory>/2026/keys          the public keys of the shard, one C2SP vkey a line
    <directory>/2026/checkpoint    the newest signed checkpoint
    <directory>/2026/cosigned      the newest one that the witnesses asked for have cosigned
    <directory>/2026/tile/...      tiles, and bundles of entries

Whoever seals replaces files whole, so that a reader finds each of them as it was or as it is. Nothing here is
proven: that is for ``signing`` and ``merkle``.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final, NamedTuple

from audit import notes
from audit.notes import Key, NoteRefused
from audit.tiles import LONGEST, WIDTH, parse_path

KEYS: Final = "keys"
CHECKPOINT: Final = "checkpoint"
COSIGNED: Final = "cosigned"
ANNOUNCED: Final = "announced"  # an empty file: the log itself tells that this shard was opened

_YEAR: Final = re.compile(r"[0-9]{4}")
_MOST: Final = WIDTH * (LONGEST + 2)  # bytes of a bundle, the largest file that there is


class DirectoryRefused(ValueError):
    """The directory is not as it was written; the text names the file and holds nothing of it."""


class Shard(NamedTuple):
    """One year of the log: a tree of its own. ``root``: its directory."""

    root: Path
    year: int

    @property
    def origin(self) -> str:
        """The shard's name, ``<site>/<year>``, as its keys have it. Raises ``DirectoryRefused``."""
        return self.keys()[0].name

    @property
    def site(self) -> str:
        """Whose log it is: the origin without the year. Raises ``DirectoryRefused``."""
        return self.origin.removesuffix(f"/{self.year}")

    def read(self, path: str) -> bytes | None:
        """What lies at the path of a tile or bundle (``tiles.Read``); None: nothing.

        Raises ``TilesRefused`` for any other path, ``DirectoryRefused`` for what is no plain file, and
        ``OSError``.
        """
        parse_path(path)
        return self._read(path, _MOST)

    def checkpoint(self) -> bytes | None:
        """The newest signed checkpoint; None: there is none yet. Raises as ``read`` does."""
        return self._read(CHECKPOINT, notes.LONGEST)

    def cosigned(self) -> bytes | None:
        """The newest checkpoint that the witnesses have cosigned; None: there is none yet."""
        return self._read(COSIGNED, notes.LONGEST)

    def keys(self) -> tuple[Key, ...]:
        """The public keys, under the shard's name. Raises ``DirectoryRefused``."""
        raw = self._read(KEYS, notes.LONGEST)
        if raw is None:
            raise DirectoryRefused(f"{self.root / KEYS}: there is no such file")
        try:
            keys = tuple(map(notes.parse_key, raw.decode("utf-8").splitlines()))
        except (UnicodeDecodeError, NoteRefused):
            raise DirectoryRefused(f"{self.root / KEYS}: no list of keys") from None
        names = {key.name for key in keys}
        if len(names) != 1 or not all(_named(name, self.year) for name in names):
            raise DirectoryRefused(f"{self.root / KEYS}: keys of another log")
        return keys

    def _read(self, path: str, most: int) -> bytes | None:
        return read(self.root / path, most)


def shards(directory: Path) -> list[Shard]:
    """The shards of a log, the oldest first; none where there is no such directory. Raises ``OSError``."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    years = sorted(name for name in names if _YEAR.fullmatch(name))
    return [Shard(directory / name, int(name)) for name in years if (directory / name).is_dir()]


def origin_of(site: str, year: int) -> str:
    """The name of a shard."""
    return f"{site}/{year:04}"


def _named(origin: str, year: int) -> bool:
    return origin.endswith(f"/{year:04}") and len(origin) > 5


def read(path: Path, most: int) -> bytes | None:
    """A plain file; None where there is none. Raises ``DirectoryRefused``, ``OSError``.

    Links are not followed, and nothing that could block (a pipe) or never end is read.
    """
    try:
        held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        seen = os.fstat(held)
        if not stat.S_ISREG(seen.st_mode) or seen.st_size > most:
            raise DirectoryRefused(f"{path}: no plain file, or too long")
        with os.fdopen(held, "rb", closefd=False) as file:
            return file.read(most + 1)
    finally:
        os.close(held)
