"""What a process that holds keys and messages in its memory gives up before it does."""

from __future__ import annotations

import ctypes
import os
import resource
from typing import Final

import structlog

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h
_OWNER_ONLY: Final = 0o077

_log: Final = structlog.get_logger(__name__)


def confine() -> None:
    """No core dump, for the system to write to a disk; no debugger and no look into the memory by others of
    the same user (prctl(2), PR_SET_DUMPABLE); new files for their owner alone. What the system does not let
    us give up is logged: the service runs all the same."""
    os.umask(_OWNER_ONLY)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        refused = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (AttributeError, OSError):  # another system than Linux
        refused = -1
    if refused:
        _log.warning("memory can be read by processes of the same user")
