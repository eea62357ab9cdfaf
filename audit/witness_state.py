"""What a witness has seen, on the disk before anybody hears of it.

The folder holds one file for each log, its name the log's origin as a URL would write it: the checkpoint
that was cosigned last, as a signed note with the log's signatures and the cosignatures. ``witness`` names
the keys that the folder belongs to: without that file nothing starts, so that an empty folder (a disk that
is not there) is never taken for "nothing seen yet". ``refused`` keeps what logs have signed and a witness
has refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from audit import checkpoint as checkpoints
from audit import notes
from audit.checkpoint import Checkpoint, CheckpointRefused
from audit.notes import Key, Note, NoteRefused
from audit.primitives import check
from audit.signing import Signed, checked
from audit.witness import NOTHING, Seen
from audit.writing import put, synced

OWNER: Final = "witness"
REFUSED: Final = "refused"
KEPT: Final = 16  # refused requests of one log that are kept
_SUFFIX: Final = ".checkpoint"


class StateRefused(RuntimeError):
    """What was seen cannot be read, or not be believed; nothing is cosigned then."""


class Kept(NamedTuple):
    """The checkpoint of a log that was cosigned last; ``at``: POSIX seconds."""

    head: Checkpoint
    note: Note
    at: int

    @property
    def seen(self) -> Seen:
        """What the next checkpoint is held against."""
        return Seen(self.head.size, self.head.root)


def create(folder: Path, keys: Sequence[Key]) -> None:
    """Make the folder of a new witness. Raises ``StateRefused`` where it belongs to one already."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StateRefused("the folder is not empty; a new witness begins with an empty one")
        put(folder / OWNER, _named(keys))
        synced(folder.parent)
    except OSError as error:
        raise StateRefused(f"the folder cannot be made ({type(error).__name__})") from None


def read(folder: Path, keys: Sequence[Key]) -> dict[str, Kept]:
    """What was seen, by origin. Raises ``StateRefused`` where any of it is not as a witness of these keys has
    written it."""
    try:
        if (folder / OWNER).read_bytes() != _named(keys):
            raise StateRefused("the folder belongs to a witness with other keys")
        files = sorted(folder.glob(f"*{_SUFFIX}"))
        return {origin_of(path): _kept(path, keys) for path in files}
    except OSError as error:
        what = 'the folder cannot be read; "audit witness key" makes that of a new witness'
        raise StateRefused(f"{what} ({type(error).__name__})") from None


class State:
    """What one running witness has seen; nobody else may use the folder meanwhile.

    Raises ``StateRefused``.
    """

    def __init__(self, folder: Path, keys: Sequence[Key]) -> None:
        self._folder = folder
        self._lock = self._alone()
        try:
            self._kept = read(folder, keys)
        except StateRefused:
            self.close()
            raise

    def seen(self, origin: str) -> Seen:
        """What was seen last of a log."""
        kept = self._kept.get(origin)
        return kept.seen if kept else NOTHING

    def keep(self, head: Checkpoint, note: Note, at: int) -> None:
        """This is now what was seen last, and on the disk. Raises OSError; then what was before still counts.

        For one origin, never called by two at once.
        """
        put(self._folder / _file_of(head.origin), note.written())
        self._kept[head.origin] = Kept(head, note, at)

    def put_aside(self, origin: str, body: bytes) -> None:
        """Keep a request that the log has signed and that was refused, as far as there is room for it.

        Raises OSError.
        """
        folder = self._folder / REFUSED
        folder.mkdir(mode=0o700, exist_ok=True)
        begins = quote(origin, safe="")
        name = f"{begins}.{hashlib.sha256(body).hexdigest()[:16]}"
        there = [one.name for one in folder.iterdir() if one.name.rpartition(".")[0] == begins]
        if name not in there and len(there) < KEPT:
            put(folder / name, body)

    def close(self) -> None:
        """Let another use the folder."""
        os.close(self._lock)

    def _alone(self) -> int:
        try:
            lock = os.open(self._folder / OWNER, os.O_RDONLY)
        except OSError:
            what = 'the folder is not that of a witness; "audit witness key" makes one'
            raise StateRefused(what) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise StateRefused("another witness is running on this folder") from None
        return lock


def put_aside(folder: Path) -> list[tuple[str, Path]]:
    """What was refused and kept: origin and file."""
    found = sorted((folder / REFUSED).glob("*.*"))
    return [(unquote(path.name.rpartition(".")[0]), path) for path in found]


def origin_of(path: Path) -> str:
    """The log whose file this is."""
    return unquote(path.name.removesuffix(_SUFFIX))


def _file_of(origin: str) -> str:
    return f"{quote(origin, safe='')}{_SUFFIX}"


def _kept(path: Path, keys: Sequence[Key]) -> Kept:
    try:
        note = notes.parse(path.read_bytes())
        head = checkpoints.parse(note.text)
        signed = checked(note, keys, check)
    except (NoteRefused, CheckpointRefused):
        raise StateRefused(f"{path.name}: not as it was written; see what became of the disk") from None
    if path.name != _file_of(head.origin):
        raise StateRefused(f"{path.name}: the checkpoint of another log")
    return Kept(head, note, _latest(signed))


def _latest(signed: Sequence[Signed]) -> int:
    return max(one.at or 0 for one in signed)


def _named(keys: Sequence[Key]) -> bytes:
    return "".join(f"{key}\n" for key in keys).encode()
