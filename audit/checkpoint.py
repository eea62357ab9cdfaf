"""What a log signs (C2SP tlog-checkpoint): its name, how many entries it has, their root. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from audit.merkle import EMPTY, HASH, LARGEST
from audit.notes import NoteRefused, decoded, encoded

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointRefused(ValueError):
    """No checkpoint, or not one to be believed."""


class Checkpoint(NamedTuple):
    """The head of the tree. ``origin`` names the log; ``extensions`` are lines that nobody here writes."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The body of the note. Raises ``CheckpointRefused`` for what ``parse`` would not read the same."""
        lines = (self.origin, str(self.size), encoded(self.root), *self.extensions)
        text = "\n".join(lines) + "\n"
        if parse(text) != self:
            raise CheckpointRefused("a checkpoint that cannot be written")
        return text


def parse(text: str) -> Checkpoint:
    """The checkpoint in the text of a note. Raises ``CheckpointRefused``."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise CheckpointRefused("a checkpoint has three lines or more, none of them empty")
    origin, size, root, *extensions = lines
    if any(one < " " for line in lines for one in line):
        raise CheckpointRefused("a control character in a checkpoint")
    return _sound(Checkpoint(origin, decimal(size), hashed(root), tuple(extensions)))


def _sound(read: Checkpoint) -> Checkpoint:
    if read.size == 0 and read.root != EMPTY:
        raise CheckpointRefused("a log without entries has another root")
    return read


def decimal(text: str) -> int:
    """A number of entries or an index, without leading zeroes. Raises ``CheckpointRefused``."""
    if not _DECIMAL.fullmatch(text) or int(text) > LARGEST:
        raise CheckpointRefused("no number of entries")
    return int(text)


def hashed(text: str) -> bytes:
    """A hash in base 64. Raises ``CheckpointRefused``."""
    try:
        value = decoded(text)
    except NoteRefused:
        value = b""
    if len(value) != HASH:
        raise CheckpointRefused("no hash of 32 bytes in base 64")
    return value
