"""The sequence number protocol (HL7 v2.5.1 section 2.10.1): MSH-13 says which message of a stream this is.

The number that comes next is kept for each sender (MSH-3 and MSH-4) and moved on in the transaction that
takes a message, before it is acknowledged. 0 asks where the stream stands, -1 begins it anew; both carry
nothing, and are answered with the number that is expected in MSA-4.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from connector.errors import DataTypeFault, RequiredFieldMissing, SequenceNumberUnexpected
from connector.hl7v2.tree import Message, Segment

Rule = Literal["ignored", "where sent", "required"]
"""A profile's word: whether MSH-13 is looked at."""

WHERE: Final = 0
ANEW: Final = -1
UNKNOWN: Final = -1  # in MSA-4: the number of whatever is accepted next becomes the first
_NUMBER: Final = re.compile(r"-1|0|[1-9]\d{0,14}", re.ASCII)


def number_of(message: Message, rule: Rule) -> int | None:
    """MSH-13; None where it is not looked at or not sent. Raises ``MessageError`` where it is no number."""
    said = message.msh.value(13).strip()
    if rule == "ignored" or (not said and rule == "where sent"):
        return None
    if not said:
        raise RequiredFieldMissing("the message has no sequence number", fix="send MSH-13", location="MSH-13")
    if not _NUMBER.fullmatch(said):
        raise DataTypeFault("this is no sequence number", fix="send -1, 0, 1, 2, ...", location="MSH-13")
    return int(said)


def check_bare(message: Message, expected: int) -> None:
    """Raises ``SequenceNumberUnexpected`` for a 0 or -1 with content, which nobody would take."""
    if any(_says_something(segment) for segment in message.segments):
        raise SequenceNumberUnexpected(
            "a message that starts the stream carries nothing",
            fix="send the content under the number that is expected",
            location="MSH-13",
            expected=expected,
        )


def _says_something(segment: Segment) -> bool:
    """Whether a field is neither empty nor null; MSH and SFT tell of the sender, not of anybody's case."""
    return segment.name not in ("MSH", "SFT") and any(text not in ("", '""') for text in segment.texts[1:])
