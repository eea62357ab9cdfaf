"""Putting a stream into a file that is there whole or not at all, and that nobody else may read."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from audit.writing import synced


class Saved(NamedTuple):
    """What was written: bytes, and their SHA-256 in hexadecimal."""

    size: int
    sha256: str


def save(parts: Iterable[bytes], path: Path, check: Callable[[Path], object] = lambda _: None) -> Saved:
    """Write a new file. It stands under its name only when it is on the disk and ``check`` was content.

    Raises ``FileExistsError``: nothing is overwritten; ``OSError``, and what ``parts`` and ``check`` raise:
    nothing stays.
    """
    part = path.with_name(f".{path.name}.{_label()}.part")
    try:
        saved = _written(parts, part)
        check(part)
        os.link(part, path)  # unlike a rename, over nothing
        synced(path.parent)
    except FileExistsError:
        raise FileExistsError(f"{path.name} is there already") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
    return saved


def _label() -> str:
    """Another one each time: what a killed export left behind is in nobody's way."""
    return os.urandom(4).hex()


def _written(parts: Iterable[bytes], part: Path) -> Saved:
    digest, size = hashlib.sha256(), 0
    held = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(held, "wb", buffering=1 << 18) as file:
        for one in parts:
            digest.update(one)
            size += file.write(one)
        file.flush()
        os.fsync(file.fileno())
    return Saved(size, digest.hexdigest())
