"""MLLP without I/O: ``framing`` cuts bytes into blocks, ``exchange`` matches answers to what was sent."""

from __future__ import annotations

from connector.mllp.exchange import Acknowledgment, Exchange, Mode, Stray, StrayAnswer, read_msa
from connector.mllp.framing import BrokenOff, Event, Frame, Framer, Junk, TooLarge, frame

__all__ = [
    "Acknowledgment",
    "BrokenOff",
    "Event",
    "Exchange",
    "Frame",
    "Framer",
    "Junk",
    "Mode",
    "Stray",
    "StrayAnswer",
    "TooLarge",
    "frame",
    "read_msa",
]
