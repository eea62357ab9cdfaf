"""The acknowledgments that go back at once, in the sender's words (HL7 v2.5.1 section 2.9)."""

from __future__ import annotations

from collections.abc import Sequence

from connector.errors import ConnectorError, SequenceNumberUnexpected
from connector.hl7v2 import ack, modes
from connector.hl7v2.tree import Message
from connector.pipeline.entries import dtm, reason
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock

CONTROL_ID = 20  # characters of MSH-10 in v2.1 to v2.6


class Answers:
    """Builds acknowledgments; what it builds is sent only once that which it says is on the disk."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def to(
        self,
        link: Link,
        message: Message,
        code: str,
        correlation: str,
        errors: Sequence[ConnectorError] = (),
        expected: str = "",
    ) -> str:
        """The acknowledgment of ``code`` (AA, AE, AR) in the mode of the message; "" where none is wanted.

        An acknowledgment never gets one. ``expected``: MSA-4; an error that knows the number says it.
        """
        if message.message_code in modes.ACKNOWLEDGMENTS:
            return ""
        accept, application = message.msh.field(15), message.msh.field(16)
        wanted = modes.at_once(link.answers, code, accept, application)
        if not wanted:
            return ""
        unexpected = next((one for one in errors if isinstance(one, SequenceNumberUnexpected)), None)
        return ack.ack(
            message,
            wanted,
            control_id=correlation[:CONTROL_ID],
            at=dtm(self._clock()),
            errors=errors,
            expected=str(unexpected.expected) if unexpected else expected,
        )

    def unread(self, error: ConnectorError, correlation: str) -> bytes:
        """A NACK to somebody whose MSH could not be read: it echoes nothing."""
        answer = error.answer
        lines = (
            rf"MSH|^~\&|||||{dtm(self._clock())}||ACK|{correlation[:CONTROL_ID]}|P|2.5.1",
            f"MSA|{answer.acknowledgment}|",
            f"ERR|||{answer.condition}^{reason(error)}^HL70357|E",
        )
        return "".join(f"{line}\r" for line in lines).encode("ascii")
