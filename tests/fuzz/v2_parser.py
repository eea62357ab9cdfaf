"""A v2 message is refused by a typed error, or its bytes come back from what was read of them."""

from __future__ import annotations

from typing import Final

from connector.errors import ConnectorError, MessageError
from connector.hl7v2 import ack, batch, charset, envelope, structure
from connector.hl7v2.tree import Message, Segment

WORDS: Final = (
    b"MSH|^~\\&|", b"MSH#", b"\rPID|1||", b"\rOBX|1|ST|", b"\rZPI|", b"\rNTE|", b"BHS|^~\\&|", b"BTS|1\r",
    b"FHS|^~\\&|", b"FTS|1\r", b"ADT^A01^ADT_A01", b"ORU^R01", b"UNICODE UTF-8", b"8859/1", b"ISO IR87",
    b"\\T\\", b"\\X0D\\", b"\\.br\\", b'""', b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\x1c\r", b"\x0b",
    b"MSA|AA|1\r", b"ERR|^^^", b"2.5.1", b"2.1", b"||||||",
)  # fmt: skip
_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def check(data: bytes) -> None:
    """Split, decoded, parsed, walked, placed in its structure, answered; and every byte is still there."""
    _enveloped(data)
    try:
        found = charset.decode(data, profile_charset=None)
        message = Message.parse(found.text)
    except MessageError as error:
        _answered(data, error)
        return
    assert str(message) == found.text
    if not data.startswith(_MARKS) and not found.charset.startswith(("ISO IR", "UNICODE UTF-")):
        assert charset.encode(found.text, found.charset) == data  # the others say one text in several ways
    for segment in message.segments:
        _walked(segment)
    placed = structure.groups(message).segments()
    assert sorted(map(id, placed)) == sorted(map(id, message.segments))


def _enveloped(data: bytes) -> None:
    envelope.holds_many(data)
    content = envelope.read(data)
    if not content.wide:
        kept = b"".join(one for each in content.batches for one in each.messages)
        assert set(kept) <= set(data)
        assert len(kept) <= len(data)
    batch.split(data)


def _answered(data: bytes, error: ConnectorError) -> None:
    """What cannot be decoded is read byte by byte, for its answer."""
    try:
        message = Message.parse(data.decode("latin-1"))
    except MessageError:
        return
    answer = ack.ack(message, "AR", control_id="1", at="20261123", errors=[error])
    assert "\x0b" not in answer
    assert "\x1c" not in answer
    assert ack.read_ack(answer).code == "AR"


def _walked(segment: Segment) -> None:
    for number in range(1, len(segment.texts)):
        for repetition in range(1, len(segment.repetitions(number)) + 1):
            segment.value(number, repetition, 1, 2)
    assert str(segment.copy()) == str(segment)
