"""The operational log: JSON lines (or text on a terminal) in which no value of a message can stand.

Nothing is logged by what it is called alone: a field that is not in ``ALLOWED`` is dropped and its
absence is shown, and an exception is logged as its type and, if it is one of ours, its location and
advice (``connector.errors`` promises that these hold no values). Texts of foreign exceptions are not
logged at all, because a parser may quote what it read.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

from connector.errors import ConnectorError

ALLOWED: Final = frozenset(
    {
        "event", "level", "timestamp",  # of every line
        "link", "direction", "partner", "peer", "address", "subject", "serial",  # who
        "inbox", "outbox", "attempt", "correlation", "count", "size", "seconds", "waiting",  # what, by number
        "code", "condition", "status", "error", "location", "fix", "retry",  # how it ended
        "host", "port", "version", "path", "profile", "sha256", "task", "pid", "state",  # where
    }
)  # fmt: skip


def setup(level: str = "info", stream: TextIO | None = None) -> None:
    """Configure structlog for this process; ``level`` is a name of ``logging``. Writes to stderr."""
    import structlog

    out = stream or sys.stderr
    render = structlog.dev.ConsoleRenderer() if out.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            name_errors,
            only_allowed,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )


def name_errors(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Puts a ``exc`` field into words that hold no values: type, and location and advice of our own."""
    error = event.pop("exc", None)
    event.pop("exc_info", None)
    if isinstance(error, BaseException):
        event.update(described(error))
    return event


def described(error: BaseException) -> dict[str, str]:
    """An exception without the text of foreign ones."""
    if not isinstance(error, ConnectorError):
        return {"error": type(error).__name__}
    told = {"error": type(error).__name__, "location": error.location, "fix": error.fix or error.what}
    return {name: text for name, text in told.items() if text}


def only_allowed(logger: Any, method: str, event: Mapping[str, Any]) -> MutableMapping[str, Any]:
    """Drops the fields that are not on the list and says how many."""
    kept = {name: value for name, value in event.items() if name in ALLOWED}
    if len(kept) < len(event):
        kept["dropped"] = len(event) - len(kept)
    return kept
