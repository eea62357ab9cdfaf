"""Writing a page: whole or not at all, for its owner alone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from audit.writing import synced

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write(path: Path, content: str) -> None:
    """Put a file in its place, with mode 0600, on the disk when this returns. Raises ``OSError``."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    held = os.open(part, _NEW, 0o600)
    try:
        with os.fdopen(held, "wb") as file:
            file.write(content.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    synced(path.parent)
