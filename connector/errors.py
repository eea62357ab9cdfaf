"""Every way the connector says no: one tree, and one table of answers.

An error carries *where* (a v2 location such as ``PID-3(2).4.1`` or a FHIR path such as
``Bundle.entry[2].resource.birthDate``) and *what to do*, never a value: nothing in an exception's
text, arguments or attributes may come from a message.

``ANSWERS`` is the one place that says what each error becomes on either wire: the acknowledgment
code (HL7 v2.5.1 ch. 2, table 0008), the error code of ERR-3 (table 0357), the FHIR issue code
(``OperationOutcome.issue.code``), the HTTP status, and whether trying again can help.
"""

from __future__ import annotations

from connector.message_errors import (  # isort: skip
    ANSWERS, AddressTooLong, Answer, BatchIncomplete, BodyIncomplete, BodyTooLarge, ConnectorError,
    DataTypeFault, DuplicateControlId, FrameError, FrameTooLarge, HeadIncomplete, HeadTooLarge,
    InvalidJson, InvalidResource, MessageError, MessageTooComplex, NotTranslatable, RequestError,
    RequiredElementMissing, RequiredFieldMissing, ResourceError, Retry, SegmentSequence,
    SequenceNumberUnexpected, StaleUpdate, TableValueNotFound, TooManyEntries, TooManyRequests,
    UndecodableText, UnknownKeyIdentifier, UnreadableMessage, UnresolvedReference, UnsupportedContent,
    UnsupportedEvent, UnsupportedInteraction, UnsupportedMessageType, UnsupportedProcessingId,
    UnsupportedVersion, VersionConflict,
)  # fmt: skip

__all__ = [  # of what is defined elsewhere
    "ANSWERS", "AddressTooLong", "Answer", "BatchIncomplete", "BodyIncomplete", "BodyTooLarge",
    "ConnectorError", "DataTypeFault", "DuplicateControlId", "FrameError", "FrameTooLarge",
    "HeadIncomplete", "HeadTooLarge", "InvalidJson", "InvalidResource", "MessageError",
    "MessageTooComplex", "NotTranslatable", "RequestError", "RequiredElementMissing",
    "RequiredFieldMissing", "ResourceError", "Retry", "SegmentSequence", "SequenceNumberUnexpected",
    "StaleUpdate", "TableValueNotFound", "TooManyEntries", "TooManyRequests", "UndecodableText",
    "UnknownKeyIdentifier", "UnreadableMessage", "UnresolvedReference", "UnsupportedContent",
    "UnsupportedEvent", "UnsupportedInteraction", "UnsupportedMessageType", "UnsupportedProcessingId",
    "UnsupportedVersion", "VersionConflict",
]  # fmt: skip


# --- who may ---------------------------------------------------------------------------------------


class AccessError(ConnectorError):
    """Somebody asks who may not."""


class Unauthenticated(AccessError):
    """No valid access token."""


class TokenMisplaced(Unauthenticated):
    """More than one ``Authorization`` header, or a bearer token in a form that RFC 6750 does not know."""


class Forbidden(AccessError):
    """A valid token without the scope, a certificate that may not speak for this partner, or a person whose
    roles do not grant it.

    ``scope``: the one that would have been enough; "" where none would.
    """

    scope: str = ""


class LoginRefused(AccessError):
    """Somebody who wants to log in comes back without what makes a login of it."""


class UntrustedPeer(AccessError):
    """The TLS peer is not who the profile asks for."""


class TokenRefused(AccessError):
    """Our token endpoint gives out no access token (RFC 6749, 5.2)."""


class InvalidTokenRequest(TokenRefused):
    """The token request has not the form that RFC 6749 asks for."""


class ClientNotAuthenticated(TokenRefused):
    """Who asks for a token has not proved to be a client that is registered."""


class AssertionInvalid(ClientNotAuthenticated):
    """The client's assertion is its own, but not for this token endpoint or not for now."""


class AssertionReplayed(ClientNotAuthenticated):
    """The client's assertion came before: each counts once."""


class GrantNotOffered(TokenRefused):
    """The token endpoint offers client credentials and no other grant."""


class ScopeNotGranted(TokenRefused):
    """The client asks for a scope that it may not have, or for none."""


class AudienceNotGranted(TokenRefused):
    """The client asks for a token for a server that it may not use (RFC 8707)."""


class TooManyTokens(TokenRefused):
    """A client or an address asks for more tokens than the limits allow.

    ``after``: seconds until the next request may succeed.
    """

    def __init__(self, what: str, *, fix: str = "", location: str = "", after: float | None = None) -> None:
        super().__init__(what, fix=fix, location=location)
        self.after = after


# --- people --------------------------------------------------------------------------------------------


class OperatorError(ConnectorError):
    """An operator asks for what cannot be done as it is asked."""


class NothingThere(OperatorError):
    """There is no message, delivery, link or pause of this name or number."""


class MovedOn(OperatorError):
    """What is to be changed is not in a state for it, or not any more."""


class JournalMoved(MovedOn):
    """What was read of the journal, to write something over it, is not what it says any more."""


# --- what we need to work ---------------------------------------------------------------------------


class UnableToWork(ConnectorError):
    """Something the connector needs is not there; nothing was taken and nothing is lost."""


class StoreUnavailable(UnableToWork):
    """The database or its disk refuses."""


class AuditRefused(UnableToWork):
    """The audit entry could not be appended, so the thing it records was not done."""


class KeyUnavailable(UnableToWork):
    """A key is not there, may be read by others, or may not be used."""


class KeysOutOfReach(KeyUnavailable):
    """Whoever keeps the key-encryption key does not answer, or is sealed."""


class Tampered(UnableToWork):
    """A ciphertext does not belong where it lies, or was changed."""


class IssuerUnavailable(UnableToWork):
    """The authorization server does not tell its keys or what a token is worth, so none can be checked."""


class Erased(UnableToWork):
    """What was asked for was erased: its key is destroyed."""


class ShuttingDown(UnableToWork):
    """The service drains; try again after it is back."""


class IntakeClosed(UnableToWork):
    """A person has closed the intake of the link; the sender keeps its message and sends it later."""


class AuditUnwitnessed(UnableToWork):
    """Too few witnesses have cosigned the audit log of late, and the settings want nothing taken in then."""


class Overloaded(UnableToWork):
    """More is waiting than the limits allow."""


# --- configuration -----------------------------------------------------------------------------------


class ConfigurationError(ConnectorError):
    """A configuration, a certificate, a table or a map contradicts itself."""


class ProfileError(ConfigurationError):
    """A profile asks for what does not exist; ``location`` is ``file:line``."""


# --- delivery ----------------------------------------------------------------------------------------


class DeliveryError(ConnectorError):
    """The other side did not take a message.

    ``status``: of HTTP; ``issue``: the code of the partner's OperationOutcome, if R4 knows it.
    """

    status: int = 0
    issue: str = ""


class PartnerUnreachable(DeliveryError):
    """No connection, or it broke before the answer."""


class NoAnswer(PartnerUnreachable):
    """The message was sent and its acknowledgment did not come in time: the partner may have taken it."""


class PartnerBusy(DeliveryError):
    """The partner asks to come back later (429, 5xx, AE/CE that may pass).

    ``after``: seconds the partner asked to wait, if it said so.
    """

    def __init__(self, what: str, *, fix: str = "", location: str = "", after: float | None = None) -> None:
        super().__init__(what, fix=fix, location=location)
        self.after = after


class PartnerRefusedUs(DeliveryError):
    """The partner does not let us in (401, 403, TLS)."""


class AddressNotAllowed(DeliveryError):
    """Nothing may connect to this address: it is of the link, of a cloud's metadata, or of this machine."""


class PartnerRefusedMessage(DeliveryError):
    """The partner will never take this message (AR/CR, 400, 422)."""


class EntryNotSendable(DeliveryError):
    """An audit entry has no form that the repository takes, or one that is longer than it takes."""


class LogIncomplete(DeliveryError):
    """Entries of the audit log are gone before the repository had them."""


class BothChanged(DeliveryError):
    """Both sides changed the same field, and the profile has a person decide which change stands."""


class PartnerChangedIt(DeliveryError):
    """A resource is not at the version any more over which our update was made (409, 412)."""


class AnswerNotUnderstood(DeliveryError):
    """The partner's answer is no acknowledgment of what was sent."""


class AnswerForAnother(AnswerNotUnderstood):
    """Only acknowledgments of other messages came, none of what was sent."""


_NEVER, _LATER, _HOLD, _STOP = Retry.NEVER, Retry.LATER, Retry.HOLD, Retry.STOP

ANSWERS |= {
    ConnectorError: Answer("AE", "207", "exception", 500, _HOLD),
    MessageError: Answer("AE", "207", "invalid", 422, _NEVER),
    UnreadableMessage: Answer("AR", "100", "structure", 400, _NEVER),
    UndecodableText: Answer("AR", "102", "structure", 400, _NEVER),
    SegmentSequence: Answer("AE", "100", "structure", 422, _NEVER),
    RequiredFieldMissing: Answer("AE", "101", "required", 422, _NEVER),
    DataTypeFault: Answer("AE", "102", "value", 422, _NEVER),
    TableValueNotFound: Answer("AE", "103", "code-invalid", 422, _NEVER),
    UnsupportedMessageType: Answer("AR", "200", "not-supported", 422, _NEVER),
    UnsupportedEvent: Answer("AR", "201", "not-supported", 422, _NEVER),
    UnsupportedProcessingId: Answer("AR", "202", "not-supported", 422, _NEVER),
    UnsupportedVersion: Answer("AR", "203", "not-supported", 422, _NEVER),
    UnknownKeyIdentifier: Answer("AE", "204", "not-found", 404, _NEVER),
    DuplicateControlId: Answer("AE", "205", "duplicate", 409, _NEVER),
    StaleUpdate: Answer("AE", "207", "conflict", 409, _NEVER),
    SequenceNumberUnexpected: Answer("AE", "207", "conflict", 409, _NEVER),
    BatchIncomplete: Answer("AE", "100", "structure", 422, _NEVER),
    MessageTooComplex: Answer("AE", "207", "too-costly", 413, _NEVER),
    FrameError: Answer("AR", "100", "structure", 400, _NEVER),
    FrameTooLarge: Answer("AR", "207", "too-long", 413, _NEVER),
    ResourceError: Answer("AE", "207", "invalid", 422, _NEVER),
    InvalidJson: Answer("AE", "102", "structure", 400, _NEVER),
    InvalidResource: Answer("AE", "102", "invalid", 422, _NEVER),
    RequiredElementMissing: Answer("AE", "101", "required", 422, _NEVER),
    UnresolvedReference: Answer("AE", "204", "not-found", 422, _NEVER),
    UnsupportedInteraction: Answer("AR", "200", "not-supported", 404, _NEVER),
    UnsupportedContent: Answer("AR", "200", "not-supported", 415, _NEVER),
    BodyTooLarge: Answer("AR", "207", "too-long", 413, _NEVER),
    BodyIncomplete: Answer("AE", "207", "timeout", 408, _NEVER),
    TooManyEntries: Answer("AR", "207", "too-costly", 413, _NEVER),
    TooManyRequests: Answer("AE", "207", "throttled", 429, _LATER),
    RequestError: Answer("AR", "207", "structure", 400, _NEVER),
    HeadTooLarge: Answer("AR", "207", "too-long", 431, _NEVER),
    AddressTooLong: Answer("AR", "207", "too-long", 414, _NEVER),
    HeadIncomplete: Answer("AE", "207", "timeout", 408, _NEVER),
    VersionConflict: Answer("AE", "206", "conflict", 412, _NEVER),
    NotTranslatable: Answer("AR", "200", "not-supported", 422, _NEVER),
    AccessError: Answer("AR", "207", "security", 403, _HOLD),
    Unauthenticated: Answer("AR", "207", "login", 401, _HOLD),
    TokenMisplaced: Answer("AR", "207", "login", 400, _HOLD),
    Forbidden: Answer("AR", "207", "forbidden", 403, _HOLD),
    LoginRefused: Answer("AR", "207", "login", 403, _HOLD),
    UntrustedPeer: Answer("AR", "207", "security", 403, _HOLD),
    TokenRefused: Answer("AR", "207", "security", 400, _HOLD),
    TooManyTokens: Answer("AR", "207", "throttled", 429, _LATER),
    OperatorError: Answer("AE", "207", "invalid", 422, _HOLD),
    NothingThere: Answer("AE", "207", "not-found", 404, _HOLD),
    MovedOn: Answer("AE", "207", "conflict", 409, _HOLD),
    JournalMoved: Answer("AE", "207", "conflict", 409, _LATER),
    UnableToWork: Answer("AE", "207", "transient", 503, _LATER),
    StoreUnavailable: Answer("AE", "207", "no-store", 503, _LATER),
    AuditRefused: Answer("AE", "207", "no-store", 503, _LATER),
    KeyUnavailable: Answer("AE", "207", "exception", 503, _HOLD),
    KeysOutOfReach: Answer("AE", "207", "transient", 503, _LATER),
    Tampered: Answer("AE", "207", "exception", 500, _HOLD),
    IssuerUnavailable: Answer("AE", "207", "transient", 503, _LATER),
    Erased: Answer("AE", "207", "deleted", 410, _NEVER),
    ShuttingDown: Answer("AE", "207", "transient", 503, _LATER),
    IntakeClosed: Answer("AE", "207", "transient", 503, _LATER),
    AuditUnwitnessed: Answer("AE", "207", "transient", 503, _LATER),
    Overloaded: Answer("AE", "207", "throttled", 503, _LATER),
    ConfigurationError: Answer("AE", "207", "exception", 500, _HOLD),
    DeliveryError: Answer("AE", "207", "exception", 502, _LATER),
    PartnerUnreachable: Answer("AE", "207", "timeout", 504, _LATER),
    NoAnswer: Answer("AE", "207", "timeout", 504, _LATER),
    PartnerBusy: Answer("AE", "207", "throttled", 503, _LATER),
    PartnerRefusedUs: Answer("AE", "207", "security", 502, _HOLD),
    AddressNotAllowed: Answer("AE", "207", "security", 502, _HOLD),
    PartnerRefusedMessage: Answer("AE", "207", "processing", 502, _NEVER),
    EntryNotSendable: Answer("AE", "207", "processing", 500, _NEVER),
    LogIncomplete: Answer("AE", "207", "incomplete", 500, _HOLD),
    BothChanged: Answer("AE", "206", "conflict", 409, _STOP),
    PartnerChangedIt: Answer("AE", "206", "conflict", 502, _LATER),
    AnswerNotUnderstood: Answer("AE", "207", "processing", 502, _LATER),
    AnswerForAnother: Answer("AE", "207", "processing", 502, _LATER),
}
