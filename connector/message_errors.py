"""The root of all errors and the table of their answers, and the errors of what was sent: v2, MLLP, FHIR.

Imported through ``connector.errors`` alone, which has the rest and fills the table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Retry(StrEnum):
    """What a delivery does after an error."""

    NEVER = "never"  # the message itself is wrong: park it as a dead letter
    LATER = "later"  # the partner or we are unwell: try the same message again, in order
    HOLD = "hold"  # a person must act (certificate, credentials, configuration): stop the lane
    STOP = "stop"  # a person must look at this message: it stays at the head of its lane


class Answer(NamedTuple):
    """What an error becomes on the wires."""

    acknowledgment: str  # MSA-1 in original mode: AE (error) or AR (reject)
    condition: str  # ERR-3.1, table 0357
    issue: str  # OperationOutcome.issue.code
    status: int  # HTTP
    retry: Retry


ANSWERS: dict[type[ConnectorError], Answer] = {}


class ConnectorError(Exception):
    """The root of the tree.

    ``what``: what went wrong, ``fix``: what the reader can do about it, ``location``: where, as a v2
    location or a FHIR path. None of the three holds a value from a message.

    ``way``: what a partner's profile says to do about it; None: what the table says.
    """

    way: Retry | None = None

    def __init__(self, what: str, *, fix: str = "", location: str = "") -> None:
        self.what = what
        self.fix = fix
        self.location = location
        super().__init__(what)

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        then = f" ({self.fix})" if self.fix else ""
        return f"{where}{self.what}{then}"

    @property
    def answer(self) -> Answer:
        """The row of ``ANSWERS`` for this error: its own, or that of its nearest ancestor; in its ``way``."""
        row = next(ANSWERS[kind] for kind in type(self).__mro__ if kind in ANSWERS)
        return row if self.way is None else row._replace(retry=self.way)


# --- HL7 v2 ---------------------------------------------------------------------------------------


class MessageError(ConnectorError):
    """A v2 message cannot be taken as it is."""


class UnreadableMessage(MessageError):
    """No MSH can be read: who sent it and what it is stay unknown, so it is quarantined."""


class UndecodableText(MessageError):
    """The bytes are not text in the character set that MSH-18 or the profile names."""


class SegmentSequence(MessageError):
    """A required segment is missing or out of place."""


class RequiredFieldMissing(MessageError):
    """A required field is empty."""


class DataTypeFault(MessageError):
    """A field does not have the form its datatype asks for."""


class TableValueNotFound(MessageError):
    """A code is not in its table."""


class UnsupportedMessageType(MessageError):
    """The profile does not accept this MSH-9.1."""


class UnsupportedEvent(MessageError):
    """The profile does not accept this MSH-9.2."""


class UnsupportedProcessingId(MessageError):
    """The profile does not accept this MSH-11."""


class UnsupportedVersion(MessageError):
    """The profile does not accept this MSH-12."""


class UnknownKeyIdentifier(MessageError):
    """The message changes something that was never created."""


class DuplicateControlId(MessageError):
    """Another message came under the same control id (MSH-10) before."""


class StaleUpdate(MessageError):
    """The message tells of something older than what was told last, and the profile refuses that."""


class SequenceNumberUnexpected(MessageError):
    """MSH-13 is not the number that comes next: a message is missing, or it came before.

    ``expected``: the number that comes next, for MSA-4 (HL7 v2.5.1 section 2.10.1).
    """

    def __init__(self, what: str, *, fix: str = "", location: str = "", expected: int = -1) -> None:
        super().__init__(what, fix=fix, location=location)
        self.expected = expected


class BatchIncomplete(MessageError):
    """A batch or a file lacks its header or trailer, or does not hold as many as its trailer says."""


class MessageTooComplex(MessageError):
    """A message has more segments, fields or repetitions than the limits of its link allow."""


# --- MLLP -----------------------------------------------------------------------------------------


class FrameError(ConnectorError):
    """The peer does not speak MLLP as HL7's transport specification (release 2) says."""


class FrameTooLarge(FrameError):
    """A frame passes the limit; what is over it was never held in memory."""


# --- FHIR -----------------------------------------------------------------------------------------


class ResourceError(ConnectorError):
    """A FHIR resource or request cannot be taken as it is."""


class InvalidJson(ResourceError):
    """The body is not JSON, or not JSON as FHIR asks for it."""


class InvalidResource(ResourceError):
    """The resource breaks a rule of FHIR R4; ``location`` is the FHIRPath of the element."""


class RequiredElementMissing(InvalidResource):
    """A required element is absent."""


class UnresolvedReference(InvalidResource):
    """A reference points to nothing that is known here."""


class UnsupportedInteraction(ResourceError):
    """This resource type or interaction is not offered on this link."""


class UnsupportedContent(ResourceError):
    """The body is not ``application/fhir+json``."""


class BodyTooLarge(ResourceError):
    """The body passes the limit."""


class BodyIncomplete(ResourceError):
    """The body did not come to its end in time."""


class TooManyEntries(ResourceError):
    """A bundle has more entries than the limit."""


class TooManyRequests(ResourceError):
    """The partner asks more often than its profile allows.

    ``after``: seconds until it may ask again.
    """

    def __init__(self, what: str, *, fix: str = "", location: str = "", after: float = 1.0) -> None:
        super().__init__(what, fix=fix, location=location)
        self.after = after


# --- HTTP -----------------------------------------------------------------------------------------


class RequestError(ConnectorError):
    """A request is not HTTP/1.1 as it is spoken here."""


class HeadTooLarge(RequestError):
    """The head of a request passes the limit of bytes or of header fields."""


class AddressTooLong(RequestError):
    """The address of a request passes the limit."""


class HeadIncomplete(RequestError):
    """The head of a request did not come to its end in time."""


class VersionConflict(ResourceError):
    """``If-Match`` names a version that is no longer the current one."""


class NotTranslatable(ResourceError):
    """The profile names no v2 message for this change."""
