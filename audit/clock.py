"""What the system knows about its own clock: how far it may be from UTC.

Asked of the kernel with adjtimex(2), which changes nothing when ``modes`` is 0 and then needs no rights.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from time import monotonic
from typing import Final, NamedTuple

FRESH: Final = 1.0  # seconds for which an answer of the kernel is used again
UNSYNCHRONISED: Final = 0x0040  # STA_UNSYNC of <sys/timex.h>
TIME_ERROR: Final = 5  # what adjtimex returns for a clock that is not synchronised


class Adjusted(NamedTuple):
    """What the kernel says. ``greatest``: the maximum error in microseconds (``maxerror``)."""

    state: int  # TIME_OK and others; negative: the call is refused
    status: int
    greatest: int


Ask = Callable[[], Adjusted | None]
"""Asks the kernel; None where there is no such call."""


class _Timex(ctypes.Structure):
    """``struct timex`` of Linux up to what is read, and room for the rest (208 bytes at most)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


class KnownError:
    """The clock's known error, asked at most once in ``FRESH`` seconds. Threads may share it: the worst
    that two at once do is to ask twice."""

    def __init__(self, ask: Ask | None = None, passed: Callable[[], float] = monotonic) -> None:
        """``passed``: a clock that never steps, in seconds."""
        self._ask, self._passed = ask or _asking(), passed
        self._known: int | None = None
        self._until = float("-inf")

    def __call__(self) -> int | None:
        """Whole milliseconds, rounded up; None where it is not known or the clock is not synchronised."""
        now = self._passed()
        if now >= self._until:
            self._known, self._until = _known(self._ask()), now + FRESH
        return self._known


def _known(said: Adjusted | None) -> int | None:
    if said is None or said.state < 0 or said.state == TIME_ERROR or said.status & UNSYNCHRONISED:
        return None
    return -(-said.greatest // 1000) if said.greatest >= 0 else None


def _asking() -> Ask:
    try:
        call = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError, TypeError):  # no Linux
        return lambda: None
    call.argtypes, call.restype = [ctypes.POINTER(_Timex)], ctypes.c_int

    def ask() -> Adjusted | None:
        said = _Timex()
        state = int(call(ctypes.byref(said)))
        return Adjusted(state, int(said.status), int(said.maxerror))

    return ask
