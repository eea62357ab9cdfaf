"""The same bytes give the same events however they are cut, and no more is held than the limit."""

from __future__ import annotations

import random
from typing import Final

from connector.errors import FrameError
from connector.mllp import BrokenOff, Event, Frame, Framer, Junk, frame

WORDS: Final = (
    b"\x0b",
    b"\x1c\r",
    b"\x1c",
    b"\r",
    b"\x0bMSH",
    b"\x0bFHS",
    b"\x0bBHS",
    b"\x00",
    b"MSH|^~\\&|A",
)

SINGLE: Final = 300  # bytes that come one by one; the rest in one piece


def check(data: bytes) -> None:
    """The first four bytes say the limit and the cuts, the rest is the stream."""
    limit = 1 + int.from_bytes(data[:2], "big") % 300
    chance, stream = random.Random(data[2:4]), data[4:]
    at_once = _events([stream], limit)
    assert _events(_cut(stream, chance), limit) == at_once
    by_bytes = [stream[n : n + 1] for n in range(min(len(stream), SINGLE))]
    assert _events([*by_bytes, stream[SINGLE:]], limit) == at_once
    for event in at_once:
        _framed_again(event, limit)


def _events(pieces: list[bytes], limit: int) -> list[Event]:
    framer, found = Framer(limit), list[Event]()
    for piece in pieces:
        before = framer.held
        framer.receive(piece)
        assert framer.held <= before + len(piece)
        found += framer.events()
        assert framer.held <= limit + 1  # and an FS that may turn out to be an end
    last = framer.close()
    return _joined([*found, last] if last else found)


def _joined(found: list[Event]) -> list[Event]:
    """Bytes between blocks are told as they come: what counts is how many there were."""
    events: list[Event] = []
    for one in found:
        last = events[-1] if events else None
        if isinstance(one, Junk) and isinstance(last, Junk):
            events[-1] = Junk(last.count + one.count, last.blank and one.blank)
        else:
            events.append(one)
    return events


def _cut(stream: bytes, chance: random.Random) -> list[bytes]:
    pieces = []
    while stream:
        size = chance.choice((1, 2, 3, 7, 64, 1000))
        pieces.append(stream[:size])
        stream = stream[size:]
    return pieces


def _framed_again(event: Event, limit: int) -> None:
    if isinstance(event, Frame):
        assert len(event.payload) <= limit
        try:
            block = frame(event.payload)
        except FrameError:
            return
        assert _events([block], limit) == [event]
    elif isinstance(event, BrokenOff | Junk):
        assert event.count >= 0
