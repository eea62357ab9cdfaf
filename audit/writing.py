"""Files of the sealed log, written: each is there whole or not at all, and outlasts a loss of power."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from audit.directory import CHECKPOINT, COSIGNED, Shard

LOCK: Final = "lock"
_FILE: Final = 0o600
_FOLDER: Final = 0o700
_FRESH: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_TOGETHER: Final = 64  # files that are open at once
_POOL: Final = ThreadPoolExecutor(
    4, thread_name_prefix="audit-sync"
)  # its threads begin when they are needed


class Busy(RuntimeError):
    """Somebody else seals this log."""


class Batch:
    """Files that are written together, and the one that is published when all of them are on the disk.

    What the disk is waited for, it is waited for together: a journal takes many at once. Everything raises
    OSError: some files may then be written and others not.
    """

    def __init__(self, mode: int = _FILE) -> None:
        self._mode, self._folders = mode, dict[Path, None]()

    def add(self, files: Iterable[tuple[Path, bytes]]) -> None:
        """Write or replace files in the order given, each on the disk before it has its name."""
        waiting = iter(files)
        while some := list(islice(waiting, _TOGETHER)):
            with self._written(some) as (parts, held):
                _each([partial(os.fsync, one) for one in held])
            for part, (path, _) in zip(parts, some):
                os.rename(part, path)

    def settle(self) -> None:
        """Their folders are on the disk as well."""
        _each([partial(synced, folder) for folder in self._folders])
        self._folders.clear()

    def publish(self, path: Path, content: bytes) -> None:
        """Write or replace one file more, which has its name only once all the others stay."""
        with self._written([(path, content)]) as (parts, held):
            _each([partial(os.fsync, held[0]), *(partial(synced, folder) for folder in self._folders)])
        os.rename(parts[0], path)
        self._folders.clear()
        synced(path.parent)

    @contextmanager
    def _written(self, files: Sequence[tuple[Path, bytes]]) -> Iterator[tuple[list[Path], list[int]]]:
        """The files under other names, open still."""
        for path, _ in files:
            if path.parent not in self._folders:
                self._folders |= dict.fromkeys(made.parent for made in made_folder(path.parent))
            self._folders[path.parent] = None
        parts, held = [path.with_name(f".{path.name}.new") for path, _ in files], list[int]()
        try:
            for part, (_, content) in zip(parts, files):
                held.append(os.open(part, _FRESH, self._mode))
                view = memoryview(content)
                while view:
                    view = view[os.write(held[-1], view) :]
            yield parts, held
        finally:
            for one in held:
                os.close(one)


def _each(syncs: Sequence[Callable[[], None]]) -> None:
    """Wait for the disk for each; the first that fails raises, after all have ended."""
    first, *others = syncs
    ended = [_POOL.submit(sync) for sync in others]
    try:
        first()
    finally:
        wait(ended)
    for one in ended:
        one.result()


def put(path: Path, content: bytes, *, mode: int = _FILE) -> None:
    """Write or replace one file. Raises OSError; then the file is as it was, or whole and new."""
    batch = Batch(mode)
    batch.add([(path, content)])
    batch.settle()


def made_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it, as far as they are missing; those that were made. Raises OSError."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(_FOLDER, exist_ok=True)
    return missing


def synced(folder: Path) -> None:
    """What was made or renamed in a folder stays there after a loss of power. Raises OSError."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def publish(shard: Shard, checkpoint: bytes) -> None:
    """Put a signed checkpoint in the place of the one before. Raises OSError."""
    put(shard.root / CHECKPOINT, checkpoint)


def publish_cosigned(shard: Shard, checkpoint: bytes) -> None:
    """Put the newest checkpoint that the witnesses have cosigned in the place of the one before.

    Raises OSError.
    """
    put(shard.root / COSIGNED, checkpoint)


def lock(directory: Path) -> int:
    """Hold the log against other sealers until the descriptor is closed, or the process ends.

    Raises ``Busy`` where another holds it, and OSError.
    """
    for made in made_folder(directory):
        synced(made.parent)
    held = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise Busy("somebody else seals this log") from None
    except OSError:
        os.close(held)
        raise
    return held


def private(path: Path) -> bool:
    """Whether nobody but its owner may read or write a file. Raises OSError."""
    seen = path.stat()
    return stat.S_ISREG(seen.st_mode) and not seen.st_mode & 0o077
