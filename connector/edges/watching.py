"""Files that may change while we run: read again when they do, and the last good content until then.

They are watched by ``stat``, so that it does not matter how they are replaced (written over, renamed into
place, a symbolic link turned, a mounted secret), and a look at a thousand of them takes milliseconds.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from connector.errors import ConfigurationError

Content = TypeVar("Content")
Stamp = tuple[int, ...]

AGAIN: Final = 60.0  # seconds after which a broken file is read again although it did not change


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: Stamp
    content: Any
    fault: ConfigurationError | None = None


class Shelf:
    """The contents of files as they were last read well."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Path], _Kept] = {}
        self._watched: dict[Path, Stamp] = {}
        self._looked = 0.0

    def read(self, kind: str, path: Path, parse: Callable[[Path], Content]) -> Content:
        """What ``parse`` makes of a file, as long as it does not change; of a broken one what was before.

        ``kind``: what it is read as. Raises ConfigurationError where there is nothing before.
        """
        stamp = stamp_of(path)
        self._watched[path] = stamp
        before = self._kept.get((kind, path))
        if before is not None and before.stamp == stamp and before.fault is None:
            return before.content  # type: ignore[no-any-return]
        try:
            found = parse(path)
        except ConfigurationError as fault:
            if before is None:
                raise
            self._kept[kind, path] = _Kept(stamp, before.content, fault)
            return before.content  # type: ignore[no-any-return]
        self._kept[kind, path] = _Kept(stamp, found)
        return found

    def put(self, kind: str, path: Path, content: object, sha256: str) -> None:
        """What somebody else has read already, if the file is still of this digest (hexadecimal)."""
        stamp = stamp_of(path)
        self._watched[path] = stamp
        try:
            same = hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        except OSError:
            same = False
        self._kept[kind, path] = _Kept(stamp if same else (), content)
        if not same:
            self._watched[path] = ()

    def stamps(self) -> dict[Path, Stamp]:
        """How the files are at this moment: equal as long as none changes."""
        return {path: stamp_of(path) for path in tuple(self._watched)}

    def changed(self) -> bool:
        """Whether a file is not as it was, or a broken one is due to be read again."""
        if any(stamp_of(path) != stamp for path, stamp in self._watched.items()):
            return True
        return bool(self.faults) and time.monotonic() - self._looked >= AGAIN

    def begin(self) -> None:
        """All is read anew from here on: what nobody asks for any more is forgotten at ``end``."""
        self._watched, self._looked = {}, time.monotonic()

    def end(self) -> None:
        """Everything that is needed was read."""
        self._kept = {key: kept for key, kept in self._kept.items() if key[1] in self._watched}

    @property
    def faults(self) -> dict[Path, ConfigurationError]:
        """What is wrong with the files whose content of before is in force."""
        return {path: kept.fault for (_, path), kept in self._kept.items() if kept.fault is not None}


def stamp_of(path: Path) -> Stamp:
    """What changes with a file, its rights included; empty where it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode
