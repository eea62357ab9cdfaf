"""The table of limits: every key that bounds what comes in, and what becomes of what passes it.

The keys themselves, with defaults and ranges, are those of the settings and of profiles; this table says
which of them are limits, so that none can be added without being one that is proven.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from connector.errors import (
    AddressTooLong,
    AnswerNotUnderstood,
    AuditRefused,
    BodyIncomplete,
    BodyTooLarge,
    ConnectorError,
    EntryNotSendable,
    FrameTooLarge,
    HeadIncomplete,
    HeadTooLarge,
    InvalidJson,
    MessageTooComplex,
    NoAnswer,
    OperatorError,
    Overloaded,
    PartnerUnreachable,
    TooManyEntries,
    TooManyRequests,
    TooManyTokens,
    Unauthenticated,
)


class Limit(NamedTuple):
    """``key``: of the settings (``https.head_bytes``) or of a profile (``limits.fields``); ``error``: what is
    refused with it; ``otherwise``: what happens where nobody can be answered."""

    key: str
    error: type[ConnectorError] | None
    otherwise: str = ""


SETTINGS: Final = (
    Limit("mllp.max_connections", None, "the handshake is refused and audited: connection limit"),
    Limit("mllp.handshake_seconds", None, "the handshake is refused and audited: handshake timeout"),
    Limit("mllp.idle_seconds", None, "the connection is closed"),
    Limit("mllp.frame_seconds", None, "the connection is cut"),
    Limit("mllp.write_seconds", None, "the connection is cut"),
    Limit("mllp.frame_bytes", FrameTooLarge),
    Limit("mllp.held_bytes", None, "the connection that passes it is cut"),
    Limit("https.max_connections", None, "the handshake is refused and audited: connection limit"),
    Limit("https.handshake_seconds", None, "the handshake is refused and audited: handshake timeout"),
    Limit("https.idle_seconds", None, "the connection is closed"),
    Limit("https.head_seconds", HeadIncomplete),
    Limit("https.head_bytes", HeadTooLarge),
    Limit("https.header_fields", HeadTooLarge),
    Limit("https.url_bytes", AddressTooLong),
    Limit("https.body_seconds", BodyIncomplete),
    Limit("https.body_bytes", BodyTooLarge),
    Limit("https.in_hand", Overloaded),
    Limit("https.nesting", InvalidJson),
    Limit("https.bundle_entries", TooManyEntries),
    Limit("authorization.client_requests", TooManyTokens),
    Limit("authorization.address_requests", TooManyTokens),
    Limit("authorization.body_bytes", BodyTooLarge),
    Limit("authorization.body_seconds", BodyIncomplete),
    Limit("login.idle_minutes", Unauthenticated),
    Limit("login.hours", Unauthenticated),
    Limit("login.sessions", Overloaded),
    Limit("break_glass.minutes", OperatorError),
    Limit("audit.refuse_unsealed_seconds", AuditRefused),
    Limit("audit.feed.syslog.per_second", None, "what waits goes later"),
    Limit("audit.feed.syslog.window", None, "nothing more is sent until what is under way has come"),
    Limit("audit.feed.syslog.message_bytes", EntryNotSendable),
    Limit("audit.feed.syslog.connect_seconds", PartnerUnreachable),
    Limit("audit.feed.syslog.write_seconds", PartnerUnreachable),
    Limit("audit.feed.syslog.goodbye_seconds", NoAnswer),
    Limit("audit.feed.fhir.per_second", None, "what waits goes later"),
    Limit("audit.feed.fhir.connect_seconds", PartnerUnreachable),
    Limit("audit.feed.fhir.write_seconds", PartnerUnreachable),
    Limit("audit.feed.fhir.answer_seconds", PartnerUnreachable),
    Limit("audit.feed.fhir.answer_bytes", AnswerNotUnderstood),
    Limit("audit.witness.answer_seconds", None, "the witness has not cosigned, and is asked again"),
    Limit("audit.witness.silent_after_seconds", None, "the alarm is raised: audit:witness:silent"),
    Limit("audit.stamp.answer_seconds", None, "there is no time-stamp, and it is asked for again"),
    Limit("audit.stamp.silent_after_seconds", None, "the alarm is raised: audit:stamp:silent"),
)
PROFILE: Final = (
    Limit("limits.frame_bytes", FrameTooLarge),
    Limit("limits.body_bytes", BodyTooLarge),
    Limit("limits.segments", MessageTooComplex),
    Limit("limits.fields", MessageTooComplex),
    Limit("limits.repetitions", MessageTooComplex),
    Limit("limits.waiting", Overloaded),
    Limit("limits.connections", None, "the connection is closed and audited"),
    Limit("limits.in_hand", None, "its connections are not read on"),
    Limit("limits.messages_per_second", None, "its connections are not read on"),
    Limit("limits.burst", None, "its connections are not read on"),
    Limit("limits.requests_per_second", TooManyRequests),
    Limit("limits.requests_burst", TooManyRequests),
    Limit("v2.to.acknowledgment_bytes", AnswerNotUnderstood),
    Limit("v2.to.acknowledgment_seconds", NoAnswer),
    Limit("v2.to.connect_seconds", PartnerUnreachable),
    Limit("v2.to.write_seconds", PartnerUnreachable),
    Limit("fhir.answer_bytes", AnswerNotUnderstood),
    Limit("fhir.connect_seconds", PartnerUnreachable),
    Limit("fhir.tls_seconds", PartnerUnreachable),
    Limit("fhir.write_seconds", PartnerUnreachable),
    Limit("fhir.answer_seconds", PartnerUnreachable),
    Limit("fhir.body_seconds", PartnerUnreachable),
)
