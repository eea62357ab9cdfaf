"""Files that stay where they were put."""

from __future__ import annotations

import os
from pathlib import Path


def synced(folder: Path) -> None:
    """What was made or renamed in a folder stays there after a loss of power. Raises OSError."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
