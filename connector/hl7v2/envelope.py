"""A file or a batch with its envelope: FHS, BHS, BTS, FTS (HL7 v2.5.1 sections 2.10.3 and 2.15)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connector.errors import BatchIncomplete, UnreadableMessage
from connector.hl7v2.ack import without_block_marks
from connector.hl7v2.batch import ENVELOPE, FRAME, LINE, MARKS, STARTS
from connector.hl7v2.delimiters import STANDARD, Delimiters
from connector.hl7v2.tree import Segment

_MANY: Final = re.compile(
    rb"(?:\A|[\r\n\x0b\x1c])(?:(?:FHS|BHS|BTS|FTS)(?![A-Za-z0-9])|MSH[^\w\s][^\r\n]*+.*?[\r\n\x0b\x1c]MSH[^\w\s])",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages between BHS and BTS, each exactly as sent. ``header``: the BHS; None where there is none."""

    header: Segment | None
    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything of a file, a stream or a frame.

    ``header``: the FHS; ``faults``: where the envelope contradicts itself or its counts; ``wide``: UTF-16.
    """

    header: Segment | None
    batches: tuple[Batch, ...]
    faults: tuple[BatchIncomplete, ...]
    wide: bool = False

    @property
    def enveloped(self) -> bool:
        """Whether there is any FHS or BHS."""
        return self.header is not None or any(one.header is not None for one in self.batches)


def holds_many(content: bytes) -> bool:
    """Whether there is more than one message in it, or an envelope: then it is to be ``read``."""
    if content[:2] in MARKS:
        content = content.decode("utf-16", "replace").encode("utf-8")
    return _MANY.search(content) is not None


def read(content: bytes) -> Content:
    """The messages in their batches, and what is wrong with these.

    A header must have its trailer, so that a file that was cut off is known from one that is whole; a
    count in BTS-1 (messages) and FTS-1 (batches) must be right where it stands.
    """
    wide = content[:2] in MARKS
    text = (
        content.decode("utf-16", "replace")
        if wide
        else content.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    )
    reading = _Reading("utf-16" if wide else "latin-1")
    for part in FRAME.split(text):
        for line in LINE.findall(part):
            reading.take(line)
        reading.end_message()
    reading.end()
    return Content(reading.file, tuple(reading.batches), tuple(reading.faults), wide)


def answer(content: Content, answers: Sequence[Sequence[bytes]], *, control_id: str, at: str) -> bytes:
    """The acknowledgments of all messages, a batch for each batch, under the names of both parties.

    ``answers``: those of each batch, in its order, as many as are wanted; ``control_id``: BHS-11 (with
    ``-2`` and so on behind it for further batches) and FHS-11; the identifiers of what is answered stand in
    BHS-12 and FHS-12; ``at``: their field 7. What came without an envelope is answered without one.
    """
    parts: list[str | bytes] = []
    headed = [one for one in content.batches if one.header is not None]
    if content.header is not None:
        parts.append(_header(content.header, control_id, at))
    for one, said in zip(content.batches, answers, strict=True):
        if one.header is None:
            parts += said
            continue
        number = headed.index(one) + 1
        identity = control_id if number == 1 else f"{control_id}-{number}"
        separator = one.header.delimiters.field
        parts += [_header(one.header, identity, at), *said, f"BTS{separator}{len(said)}\r"]
    if content.header is not None:
        parts.append(f"FTS{content.header.delimiters.field}{len(headed) or 1}\r")
    if content.wide:
        texts = [part if isinstance(part, str) else _text(part) for part in parts]
        return "".join(texts).encode("utf-16") if texts else b""
    return b"".join(part.encode("latin-1") if isinstance(part, str) else part for part in parts)


def _text(answer: bytes) -> str:
    """An answer within a wide one; what could not be read is answered in ASCII."""
    return answer.decode("utf-16" if answer[:2] in MARKS else "latin-1")


def _header(received: Segment, control_id: str, at: str) -> str:
    d, fields = received.delimiters, received.field
    encoding = d.component + d.repetition + d.escape + d.subcomponent + d.truncation
    parties = [fields(number) for number in (5, 6, 3, 4)]
    texts = [received.name, encoding, *parties, at, "", "", "", control_id, fields(11)]
    return without_block_marks(d.field.join(texts).rstrip(d.field), d) + "\r"


class _Reading:
    """What was read so far, line by line."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self.file: Segment | None = None
        self.batches: list[Batch] = []
        self.faults: list[BatchIncomplete] = []
        self._header: Segment | None = None  # of the batch that is open
        self._messages: list[bytes] = []  # of the batch that is open, or of none
        self._lines: list[str] = []
        self._begun = False
        self._counts = {"message": 0, "BTS": 0, "BHS": 0, "FTS": 0}
        self._ended = False  # FTS was there

    def take(self, line: str) -> None:
        """One line with its end."""
        if ENVELOPE.match(line):
            self.end_message()
            getattr(self, f"_{line[:3].lower()}")(line)
            return
        starts = STARTS.match(line) is not None
        if starts and self._begun:
            self.end_message()
        self._lines.append(line)
        self._begun = self._begun or starts

    def end_message(self) -> None:
        """What comes now belongs to another message."""
        text = "".join(self._lines)
        if text.strip():
            self._messages.append(text.encode(self._codec))
            self._counts["message"] += self._begun
        self._lines, self._begun = [], False

    def end(self) -> None:
        """Nothing comes any more."""
        if self._header is not None:
            self._fault("a batch begins and does not end", "send BTS behind its messages", "BHS")
        self._close()
        if self.file is not None and not self._ended:
            self._fault("a file begins and does not end", "send FTS at its end", "FHS")

    def _fhs(self, line: str) -> None:
        if self.file is not None or self.batches or self._messages or self._header is not None:
            self._fault("a file begins within another", "send FHS first and once", "FHS")
        header = self._begin(line)
        self.file = self.file or header

    def _bhs(self, line: str) -> None:
        self._counts["BHS"] += 1
        if self._header is not None:
            self._fault("a batch begins within another", "send BTS before the next BHS", self._place("BHS"))
        self._close()
        self._header = self._begin(line)

    def _bts(self, line: str) -> None:
        self._counts["BTS"] += 1
        if self._header is None:
            self._fault("a batch ends that did not begin", "send BHS first", self._place("BTS"))
        trailer = _trailer(line, self._header)
        self._check(trailer, {self._counts["message"]}, "messages", self._place("BTS"))
        self._close()

    def _fts(self, line: str) -> None:
        if self._header is not None:
            self._fault("a file ends within a batch", "send BTS before FTS", "FTS")
        if self.file is None or self._ended:
            self._fault("a file ends that did not begin", "send FHS first", "FTS")
        self._close()
        self._ended = True
        bare = sum(len(one.messages) for one in self.batches)
        batches = {self._counts["BHS"]} if self._counts["BHS"] else {1 if bare else 0, bare}
        self._check(_trailer(line, self.file), batches, "batches", "FTS")

    def _begin(self, line: str) -> Segment:
        """A header; one that declares no delimiters is answered with those of the standard."""
        text = line.rstrip("\r\n")
        try:
            return Segment(text, Delimiters.of(text))
        except UnreadableMessage:
            self._fault("the delimiters are missing or ambiguous", r"send |^~\&", f"{text[:3]}-2")
            return Segment(rf"{text[:3]}|^~\&", STANDARD)

    def _close(self) -> None:
        """The batch that is open, or what came outside of any, is complete."""
        if self._header is not None or self._messages:
            self.batches.append(Batch(self._header, tuple(self._messages)))
        self._header, self._messages, self._counts["message"] = None, [], 0

    def _check(self, trailer: Segment, right: set[int], what: str, place: str) -> None:
        said = trailer.value(1).strip()
        if said and not (said.isascii() and said.isdigit() and len(said) < 10 and int(said) in right):
            self._fault(f"not as many {what} came as the trailer says", "send all of it again", f"{place}-1")

    def _place(self, name: str) -> str:
        number = self._counts[name]
        return name if number == 1 else f"{name}[{number}]"

    def _fault(self, what: str, fix: str, place: str) -> None:
        self.faults.append(BatchIncomplete(what, fix=fix, location=place))


def _trailer(line: str, header: Segment | None) -> Segment:
    """A trailer has the delimiters of its header."""
    return Segment(line.rstrip("\r\n"), header.delimiters if header else STANDARD)
