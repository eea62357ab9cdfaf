"""The operational log: JSON lines (or text on a terminal) in which no value of a message can stand.

Nothing is logged by what it is called alone: a field that is not in ``ALLOWED`` is dropped and its
absence is shown, and an exception is logged as its type and, if it is one of ours, its location and
advice (``connector.errors`` promises that these hold no values). Texts of foreign exceptions are not
logged at all, because a parser may quote what it read: that holds for the logs of libraries too, of which
only the logger, the level and the place are written.

One call is one line: whatever a value holds, control characters (line ends, escapes of terminals, marks that
turn the direction of text) are written as escapes, and no value is longer than ``LONGEST``.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping, MutableMapping
from pathlib import PurePath
from types import TracebackType
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
LONGEST: Final = 500  # characters of a value
_FOREIGN: Final = "a library reports"


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
            of_one_line,
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


def of_one_line(logger: Any, method: str, event: Mapping[str, Any]) -> MutableMapping[str, Any]:
    """Makes every value a short text without control characters, or leaves a number or a truth be one."""
    return {name: plain(value) for name, value in event.items()}


def plain(value: object) -> str | int | float | bool | None:
    """A value as it may stand in a line; of what is neither text nor number, the name of its type."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return int(value)
    if isinstance(value, float) and abs(value) < 1e300:
        return float(value)
    if not isinstance(value, str | PurePath):
        return type(value).__name__
    text = str(value)
    said = "".join(one if one.isprintable() else _escaped(one) for one in text[:LONGEST])
    return said if len(text) <= LONGEST else f"{said}... ({len(text)} characters)"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class Foreign(logging.Handler):
    """What libraries log becomes a line of ours without their words, which may quote what they read."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record."""
        error = record.exc_info[1] if record.exc_info else None
        raised = {"exc": error} if error else {}
        place = f"{PurePath(record.pathname).name}:{record.lineno}"
        write = _logger().error if record.levelno >= logging.ERROR else _logger().warning
        write(_FOREIGN, task=record.name, location=place, **raised)


def take_over() -> None:
    """From now on nothing of this process writes the text of an exception: no library, no traceback.

    For a process of its own, after ``setup``.
    """
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers = [Foreign(logging.WARNING)]
    sys.excepthook = _died
    sys.unraisablehook = lambda left: _logger().error("nobody could be told of an error", exc=left.exc_value)
    threading.excepthook = lambda left: _logger().error("a thread died", exc=left.exc_value)


def _died(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _logger().error("the process dies", exc=error)


def _logger() -> Any:
    import structlog

    return structlog.get_logger("connector.log")
