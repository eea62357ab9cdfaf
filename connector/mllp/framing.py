"""MLLP framing without I/O: bytes in, events out (as h11 does HTTP).

Source: HL7 Transport Specification, MLLP Release 2: a block is ``<VT> content <FS><CR>``, that is 0x0B,
the content, 0x1C 0x0D. Nothing is decoded here: content is bytes.

What real feeds send besides that, and what it becomes:

- bytes outside a block are ``Junk``, counted and never held;
- an FS that no CR follows is content, and so is a VT inside a block (text pasted from a word processor
  has them), except where ``MSH``, ``FHS`` or ``BHS`` follows that VT: there the sender broke off and
  began again, so what came before is ``BrokenOff`` and never joined to the next message;
- a block over the limit is ``TooLarge`` once; its rest is skipped without being held.

The same bytes give the same events however they are cut into reads, in time linear in the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from connector.errors import FrameError

START = b"\x0b"
END = b"\x1c"
TRAILER = b"\x1c\r"
BLANK = b" \t\r\n\x00"
HEAD = 4096
JUNK_LIMIT = 4096

_OPENINGS = (b"\x0bMSH", b"\x0bFHS", b"\x0bBHS")


@dataclass(frozen=True, slots=True)
class Frame:
    """One block: exactly the bytes between VT and FS CR."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Junk:
    """``count`` bytes outside any block (at most ``JUNK_LIMIT`` an event).

    ``blank``: nothing but line ends, blanks and NUL, which many senders put between blocks.
    """

    count: int
    blank: bool


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """A block that never ended: ``count`` content bytes, dropped."""

    count: int


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A block with more than ``limit`` bytes of content.

    ``head``: its first bytes (at most ``HEAD``), enough to read MSH and refuse it by its control id.
    """

    limit: int
    head: bytes


Event = Frame | Junk | BrokenOff | TooLarge


def frame(payload: bytes) -> bytes:
    """``payload`` as a block. Raises FrameError where a receiver would see another end or start in it."""
    if TRAILER in payload or any(opening in payload for opening in _OPENINGS):
        raise FrameError("the content holds a block delimiter", fix="remove control characters from it")
    return START + payload + TRAILER


class Framer:
    """Cuts a byte stream into events: ``receive`` what was read, then take all ``events()``.

    ``limit``: the largest content in bytes. Holds at most that much between reads, plus what the last
    ``receive`` brought.
    """

    __slots__ = ("_blank", "_buffer", "_junk", "_scanned", "_step", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()
        self._scanned = 0  # content bytes known to hold no trailer, so that none is searched twice
        self._junk = 0
        self._blank = True
        self._step: Callable[[Framer], Event | None] = Framer._between

    @property
    def inside(self) -> bool:
        """Whether a block has begun that has not ended."""
        return self._step is not Framer._between

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def receive(self, data: bytes) -> None:
        """Take what was read, of any length."""
        self._buffer += data

    def events(self) -> Iterator[Event]:
        """What is complete so far, in the order of the bytes."""
        while (event := self._step(self)) is not None:
            yield event

    def close(self) -> Junk | BrokenOff | None:
        """The stream ended: what the bytes left over are. Call it after the last ``events()``."""
        step, self._step = self._step, Framer._between
        if step is Framer._inside:
            count = len(self._buffer)
            self._buffer.clear()
            return BrokenOff(count)
        return self._report() if self._junk else None

    def _between(self) -> Event | None:
        start = self._buffer.find(START, 0, JUNK_LIMIT - self._junk)
        if start == 0 and not self._junk:
            return self._open()
        self._drop(start if start >= 0 else min(len(self._buffer), JUNK_LIMIT - self._junk))
        if start >= 0 or self._junk == JUNK_LIMIT:
            return self._report()
        return None

    def _drop(self, count: int) -> None:
        self._blank = self._blank and not self._buffer[:count].strip(BLANK)
        self._junk += count
        del self._buffer[:count]

    def _report(self) -> Junk:
        event = Junk(self._junk, self._blank)
        self._junk, self._blank = 0, True
        return event

    def _open(self) -> Event | None:
        del self._buffer[:1]
        self._scanned = 0
        self._step = Framer._inside
        return self._inside()

    def _inside(self) -> Event | None:
        end = self._buffer.find(TRAILER, self._scanned)
        size = end if end >= 0 else len(self._buffer) - self._buffer.endswith(END)
        if size > self.limit:
            return self._give_up(size)
        self._scanned = size
        return self._complete(size) if end >= 0 else None

    def _give_up(self, size: int) -> TooLarge:
        head = bytes(self._buffer[: min(HEAD, self.limit)])
        del self._buffer[:size]
        self._step = Framer._skipping
        return TooLarge(self.limit, head)

    def _complete(self, size: int) -> Event:
        again = self._last_opening(size)
        if again >= 0:
            del self._buffer[: again + 1]
            self._scanned = 0
            return BrokenOff(again)
        with memoryview(self._buffer) as view:  # one copy, not two
            payload = bytes(view[:size])
        del self._buffer[: size + len(TRAILER)]
        self._step = Framer._between
        return Frame(payload)

    def _last_opening(self, size: int) -> int:
        if self._buffer.find(START, 0, size) < 0:
            return -1
        return max(self._buffer.rfind(opening, 0, size) for opening in _OPENINGS)

    def _skipping(self) -> Event | None:
        end = self._buffer.find(TRAILER)
        if end < 0:
            del self._buffer[: len(self._buffer) - self._buffer.endswith(END)]
            return None
        del self._buffer[: end + len(TRAILER)]
        self._step = Framer._between
        return self._between()
