"""The sender's side of MLLP without I/O: which acknowledgment answers which message.

Source: HL7 v2.5.1 chapter 2, 2.9.2 (original mode: one answer AA, AE or AR) and 2.9.3 (enhanced mode: a
commit answer CA, CE or CR first, an application answer AA, AE or AR later), table 0008. MSA-2 echoes the
control id (MSH-10) of the message answered. An answer that fits nothing is an event, never an exception.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

COMMIT_CODES = frozenset({"CA", "CE", "CR"})
APPLICATION_CODES = frozenset({"AA", "AE", "AR"})
POSITIVE_CODES = frozenset({"AA", "CA"})

ReadAnswer = Callable[[bytes], tuple[str, str]]


class Mode(StrEnum):
    """Which answers a message asks for."""

    ORIGINAL = "original"  # one answer
    COMMIT = "commit"  # enhanced mode, MSH-16 = NE: the commit answer is the last
    APPLICATION = "application"  # enhanced mode with both: CA, then the application answer


class Stray(StrEnum):
    """Why an answer settles nothing."""

    UNREADABLE = "unreadable"  # no MSA, no control id, or a code that is not in table 0008
    UNKNOWN = "unknown"  # nothing was sent under that control id
    DUPLICATE = "duplicate"  # answered before
    LATE = "late"  # given up before
    AFTERWARDS = "afterwards"  # the application answer to what its commit answer had settled


@dataclass(frozen=True, slots=True)
class Acknowledgment:
    """An answer to a message that waits for one. ``final``: no further answer is awaited."""

    code: str
    control_id: str
    payload: bytes
    final: bool = True

    @property
    def accepted(self) -> bool:
        """Whether the partner took the message (AA or CA)."""
        return self.code in POSITIVE_CODES


@dataclass(frozen=True, slots=True)
class StrayAnswer:
    """An answer that settles nothing.

    ``code``: of table 0008, "" where it has none; ``control_id`` as far as it could be read.
    """

    reason: Stray
    code: str
    control_id: str
    payload: bytes


def read_msa(payload: bytes) -> tuple[str, str]:
    """(MSA-1, MSA-2) of an acknowledgment in any character set that keeps ASCII; blanks where absent."""
    separator = payload[3:4]
    for line in payload.replace(b"\n", b"\r").split(b"\r"):
        if separator and line.startswith(b"MSA" + separator):
            fields = [*line.split(separator), b"", b""]
            return fields[1].strip().decode("latin-1"), fields[2].strip().decode("latin-1")
    return "", ""


class Exchange:
    """What was sent and waits for its answer.

    ``read``: takes (code, control id) out of an answer; with hl7v2 at hand pass its reader, where the
    answers are UTF-16. ``memory``: how many settled control ids are remembered, to tell a late or
    duplicate answer from one that fits nothing.
    """

    def __init__(self, read: ReadAnswer = read_msa, *, memory: int = 1024) -> None:
        self._read = read
        self._memory = memory
        self._waiting: dict[str, tuple[Mode, bool]] = {}  # control id -> mode, committed
        self._past: OrderedDict[str, Stray] = OrderedDict()

    @property
    def waiting(self) -> tuple[str, ...]:
        """Control ids without their final answer, oldest first."""
        return tuple(self._waiting)

    def sent(self, control_id: str, mode: Mode = Mode.ORIGINAL) -> None:
        """A message went out under this control id. Sending it again starts its waiting anew."""
        self._past.pop(control_id, None)
        self._waiting[control_id] = (mode, False)

    def give_up(self, control_id: str) -> None:
        """No longer wait: an answer that still comes is LATE."""
        if self._waiting.pop(control_id, None):
            self._remember(control_id, Stray.LATE)

    def received(self, payload: bytes) -> Acknowledgment | StrayAnswer:
        """What this frame answers. An answer is never credited to a message other than the one it names."""
        code, control_id = self._read(payload)
        if not control_id or code not in COMMIT_CODES | APPLICATION_CODES:
            return StrayAnswer(Stray.UNREADABLE, "", control_id, payload)
        if control_id not in self._waiting:
            return StrayAnswer(self._reason(code, control_id), code, control_id, payload)
        return self._answer(code, control_id, payload)

    def _reason(self, code: str, control_id: str) -> Stray:
        reason = self._past.get(control_id, Stray.UNKNOWN)
        if reason is Stray.AFTERWARDS:
            if code in COMMIT_CODES:
                return Stray.DUPLICATE
            self._past[control_id] = Stray.DUPLICATE
        return reason

    def _answer(self, code: str, control_id: str, payload: bytes) -> Acknowledgment | StrayAnswer:
        mode, committed = self._waiting[control_id]
        if committed and code in COMMIT_CODES:
            return StrayAnswer(Stray.DUPLICATE, code, control_id, payload)
        if mode is Mode.APPLICATION and code == "CA":
            self._waiting[control_id] = (mode, True)
            return Acknowledgment(code, control_id, payload, final=False)
        del self._waiting[control_id]
        more = mode is Mode.COMMIT and code == "CA"
        self._remember(control_id, Stray.AFTERWARDS if more else Stray.DUPLICATE)
        return Acknowledgment(code, control_id, payload)

    def _remember(self, control_id: str, reason: Stray) -> None:
        self._past[control_id] = reason
        while len(self._past) > self._memory:
            self._past.popitem(last=False)
