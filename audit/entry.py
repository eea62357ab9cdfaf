"""What one entry of the log says.

A tag is ``subject:standard:verb`` (``message:v2:received``) or ``subject:verb`` (``service:started``), all
lower case; the set is closed. No field may hold a patient's words: actors are partners, certificates,
clients and operators, objects are links, message types and locations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

FORMAT: Final = 2  # of the entry; goes into each one, so that later forms can be told apart
GRAMMAR: Final = re.compile(r"[a-z]+(:[a-z0-9]+)?:[a-z]+")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)  # RFC 3339, UTC only


class Tag(StrEnum):
    """What happened. The standard of ``message`` is where it came from, of ``delivery`` where it goes."""

    # a message came in
    MESSAGE_V2_RECEIVED = "message:v2:received"
    MESSAGE_V2_DUPLICATE = "message:v2:duplicate"  # the same again: answered as before, not taken twice
    MESSAGE_V2_REUSED = "message:v2:reused"  # taken, under a control id that came before with other content
    MESSAGE_V2_REFUSED = "message:v2:refused"
    MESSAGE_V2_QUARANTINED = "message:v2:quarantined"  # unreadable; kept aside
    MESSAGE_V2_BATCHED = "message:v2:batched"  # a file or batch was gone through; object counts the outcomes
    MESSAGE_V2_RESTARTED = "message:v2:restarted"  # MSH-13 is 0: the sender asks where its stream stands
    MESSAGE_V2_RESYNCHRONISED = "message:v2:resynchronised"  # MSH-13 is -1: its next number is the first
    MESSAGE_V2_ANSWERED = "message:v2:answered"  # its application acknowledgment is made; see delivery:v2
    MESSAGE_FHIR_RECEIVED = "message:fhir:received"
    MESSAGE_FHIR_DUPLICATE = "message:fhir:duplicate"
    MESSAGE_FHIR_REFUSED = "message:fhir:refused"
    # it was put into the other side's words; object.lost lists the locations that it cannot say
    MESSAGE_V2_TRANSLATED = "message:v2:translated"
    MESSAGE_V2_UNCHANGED = "message:v2:unchanged"  # it says nothing new: nothing to deliver
    MESSAGE_V2_UNTRANSLATABLE = "message:v2:untranslatable"  # now a dead letter
    MESSAGE_FHIR_TRANSLATED = "message:fhir:translated"
    MESSAGE_FHIR_UNCHANGED = "message:fhir:unchanged"
    MESSAGE_FHIR_UNTRANSLATABLE = "message:fhir:untranslatable"
    # it goes out; object.attempt counts from 1
    DELIVERY_FHIR_INTENDED = "delivery:fhir:intended"  # about to be sent
    DELIVERY_FHIR_ACKNOWLEDGED = "delivery:fhir:acknowledged"
    DELIVERY_FHIR_DEFERRED = "delivery:fhir:deferred"  # did not work, is tried again
    DELIVERY_FHIR_REFUSED = "delivery:fhir:refused"  # never taken; now a dead letter
    DELIVERY_V2_INTENDED = "delivery:v2:intended"
    DELIVERY_V2_ACKNOWLEDGED = "delivery:v2:acknowledged"
    DELIVERY_V2_DEFERRED = "delivery:v2:deferred"
    DELIVERY_V2_REFUSED = "delivery:v2:refused"
    DELIVERY_V2_PROCESSED = "delivery:v2:processed"  # what the partner's application said after its CA
    CONFLICT_KEPT = "conflict:kept"  # both sides changed a field; the loser is kept, or a person decides
    CONFLICT_DECIDED = "conflict:decided"
    # who may
    TLS_HANDSHAKE_REFUSED = "tls:handshake:refused"
    TLS_PEER_REFUSED = "tls:peer:refused"  # a good certificate that may not speak here
    TLS_PEER_ADMITTED = "tls:peer:admitted"  # a certificate was let in; object.count times since the last
    TLS_CONNECTION_CUT = "tls:connection:cut"  # revoked, removed or ended while it was open; see the reason
    TLS_RELOADED = "tls:reloaded"  # certificates, keys, authorities, lists or who may speak, for these ends
    TLS_FILE_REFUSED = "tls:file:refused"  # it cannot be used; what was before stays in force
    TLS_VALIDITY_ENDS = "tls:validity:ends"  # a certificate or list, ours or a partner's; once a day
    ACCESS_TOKEN_ACCEPTED = "access:token:accepted"  # noqa: S105 - a tag, not a password; once for each token
    ACCESS_TOKEN_REFUSED = "access:token:refused"  # noqa: S105
    ACCESS_SCOPE_REFUSED = "access:scope:refused"
    ACCESS_LOGIN_SUCCEEDED = "access:login:succeeded"  # object.session until object.until
    ACCESS_LOGIN_REFUSED = "access:login:refused"
    ACCESS_LOGIN_ENDED = "access:login:ended"  # object.why: logged off, idle, longest time
    ACCESS_EMERGENCY_GRANTED = "access:emergency:granted"  # a person broke the glass, until object.until
    ACCESS_EMERGENCY_ENDED = "access:emergency:ended"  # before its time, by the person
    ACCESS_EMERGENCY_REFUSED = "access:emergency:refused"
    OAUTH_TOKEN_ISSUED = "oauth:token:issued"  # noqa: S105 - by our own token endpoint
    OAUTH_TOKEN_OBTAINED = "oauth:token:obtained"  # noqa: S105 - by us, of a partner's token endpoint
    OAUTH_TOKEN_REFUSED = "oauth:token:refused"  # noqa: S105
    # people
    OPERATOR_MESSAGE_REPLAYED = "operator:message:replayed"
    OPERATOR_MESSAGE_EDITED = "operator:message:edited"  # a corrected copy stands in its place
    OPERATOR_MESSAGE_SKIPPED = "operator:message:skipped"  # it stopped its lanes; now a dead letter
    OPERATOR_CONTENT_VIEWED = "operator:content:viewed"
    OPERATOR_CONTENT_SEARCHED = "operator:content:searched"  # by an identifier; object has its pseudonym
    OPERATOR_LINK_PAUSED = "operator:link:paused"
    OPERATOR_LINK_RESUMED = "operator:link:resumed"
    OPERATOR_REQUEST_REFUSED = "operator:request:refused"  # over the API, by somebody who may ask
    # ourselves
    SERVICE_STARTED = "service:started"
    SERVICE_STOPPED = "service:stopped"
    SERVICE_RESUMED = "service:resumed"  # it was told to try again what waits for a person, and to read files
    SETTINGS_LOADED = "settings:loaded"  # object.sha256 is of the file
    SETTINGS_CHANGED = "settings:changed"
    PROFILE_LOADED = "profile:loaded"  # object.sha256 is the profile's identity
    PROFILE_CHANGED = "profile:changed"
    PROFILE_REFUSED = "profile:refused"
    KEYS_LOADED = "keys:loaded"
    KEYS_ROTATED = "keys:rotated"  # another key-encryption key wraps from now on
    KEYS_REWRAPPED = "keys:rewrapped"  # what others had wrapped, it wraps now; object.count keys
    KEYS_FORGOTTEN = "keys:forgotten"  # a key-encryption key that wrapped nothing any more is taken away
    KEYS_VERIFIED = "keys:verified"  # object.count keys were opened; object.faults were not
    KEYS_DESTROYED = "keys:destroyed"  # of a partner and day: what came then can be read no more
    STORE_ERASED = "store:erased"  # the data keys of object.records are destroyed
    STORE_PRUNED = "store:pruned"  # what was done before object.before is forgotten
    STORE_BACKUP_INTENDED = "store:backup:intended"  # about to be written
    STORE_BACKUP_MADE = "store:backup:made"  # written and read back; object.sha256 is of the database in it
    STORE_BACKUP_TRIED = "store:backup:tried"  # restored beside the store, looked through, thrown away
    STORE_BACKUP_RESTORED = "store:backup:restored"  # this store comes from a backup
    STORE_REFUSED = "store:refused"  # the disk or the database did not take something
    CLOCK_STEPPED = "clock:stepped"  # by object.milliseconds, against a clock that never steps
    CLOCK_UNSYNCHRONISED = "clock:unsynchronised"
    CLOCK_SYNCHRONISED = "clock:synchronised"
    AUDIT_VERIFIED = "audit:verified"
    AUDIT_SEALING_FAILED = (
        "audit:sealing:failed"  # no checkpoint can be signed; object.sealed is the last entry
    )
    AUDIT_SEALING_RESUMED = "audit:sealing:resumed"  # checkpoints are signed again
    AUDIT_SHARD_OPENED = "audit:shard:opened"  # a year begins: object.origin, object.first, object.keys
    AUDIT_SHARD_DISPOSED = "audit:shard:disposed"  # a year is past its retention: rows and tiles are gone
    AUDIT_WITNESS_SILENT = "audit:witness:silent"  # too few have cosigned a checkpoint for too long
    AUDIT_WITNESS_RETURNED = "audit:witness:returned"
    AUDIT_WITNESS_DISAGREED = "audit:witness:disagreed"  # it has seen another version of this log
    AUDIT_STAMP_SILENT = "audit:stamp:silent"  # no time-stamp for too long
    AUDIT_STAMP_RETURNED = "audit:stamp:returned"
    AUDIT_FEED_STOPPED = "audit:feed:stopped"  # a repository gets nothing; object.seq is the last it has
    AUDIT_FEED_RESUMED = "audit:feed:resumed"  # it gets all that waited; object.since when it stopped
    AUDIT_FEED_SKIPPED = "audit:feed:skipped"  # it never takes the entry object.seq, which is left out
    AUDIT_REVIEWED = "audit:reviewed"  # somebody reads a review of a period
    AUDIT_DISCLOSURES_LISTED = "audit:disclosures:listed"  # somebody reads the disclosures of object.patient
    AUDIT_EXPORTED = "audit:exported"  # an export is about to be made; see audit:export:ended
    AUDIT_EXPORT_ENDED = "audit:export:ended"  # it was handed over, or it failed
    AUDIT_VIEWED = "audit:viewed"  # somebody read entries
    AUDIT_COMPARED = "audit:compared"  # a record with the commitment to it


class Outcome(StrEnum):
    """How it ended."""

    SUCCESS = "success"
    REFUSED = "refused"  # by a rule, here or at the other side
    FAILURE = "failure"  # it did not work


class Drafted(Protocol):
    """Anything with the fields of a ``Draft``; tag and outcome may be plain strings."""

    @property
    def time(self) -> str: ...
    @property
    def tag(self) -> str: ...
    @property
    def actor(self) -> Mapping[str, Any]: ...
    @property
    def object(self) -> Mapping[str, Any]: ...
    @property
    def outcome(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def correlation(self) -> str: ...


class Draft(NamedTuple):
    """An entry that has no place in the log yet."""

    time: str  # RFC 3339, UTC, ends in Z; the writer's clock
    tag: str  # one of ``Tag``
    actor: Mapping[str, Any]  # who did it
    object: Mapping[str, Any]  # what it was done to
    outcome: str = Outcome.SUCCESS  # one of ``Outcome``
    reason: str = ""  # the name of an error, or ""
    correlation: str = ""  # ties together all that happened to one message


class EntryRefused(ValueError):
    """A draft cannot become an entry; the text names the field and holds nothing of its value."""


_TAGS: Final = frozenset(tag.value for tag in Tag)
_OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)


def entry(draft: Drafted, seq: int, previous: bytes, uncertainty: int | None = None) -> dict[str, Any]:
    """The entry as it is hashed: the draft, its place (from 1), the hash of the entry before, and the known
    error of the clock in milliseconds (None: not known).

    Raises ``EntryRefused``.
    """
    if draft.tag not in _TAGS:
        raise EntryRefused("the tag is not one of the closed set")
    if draft.outcome not in _OUTCOMES:
        raise EntryRefused("the outcome is not one of the closed set")
    if not TIME.fullmatch(draft.time):
        raise EntryRefused("the time is not RFC 3339 in UTC")
    return {
        "actor": _plain(draft.actor),
        "correlation": draft.correlation,
        "format": FORMAT,
        "object": _plain(draft.object),
        "outcome": str(draft.outcome),
        "previous": previous.hex(),
        "reason": draft.reason,
        "seq": seq,
        "tag": str(draft.tag),
        "time": draft.time,
        "uncertainty": uncertainty,
    }


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return fields if type(fields) is dict else dict(fields)


FIELDS: Final = frozenset(entry(Draft("2026-01-01T00:00:00Z", Tag.SERVICE_STARTED, {}, {}), 1, b""))
FIELDS_OF: Final[Mapping[int, frozenset[str]]] = {1: FIELDS - {"uncertainty"}, FORMAT: FIELDS}
"""The members of an entry by its format, also of the formats that are no longer written."""


def whole(said: Mapping[str, Any]) -> bool:
    """Whether something read has the members of an entry, no more and no fewer, in the format it names."""
    number = said.get("format")
    return type(number) is int and said.keys() == FIELDS_OF.get(number, frozenset())
