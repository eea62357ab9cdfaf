"""A target whose invariant is false: fuzzing finds that, or it would find nothing."""

from __future__ import annotations

from typing import Final

WORDS: Final = (b"MSH", b"PID")


def check(data: bytes) -> None:
    """No input begins with these words, this one says."""
    if data[:3] == b"MSH" and data[3:6] == b"PID":
        raise ValueError("planted")
