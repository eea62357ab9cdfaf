"""What each entry of the log is as an audit event: of ATNA (DICOM PS3.15 A.5.3) and of BALP 1.1.

One row a tag: EventID, EventActionCode, EventTypeCode, who takes part in which role, what it was done to,
how bad it is where it fails, and the profile of BALP that its FHIR form keeps. Where a row names a profile,
it holds for a success alone: BALP asks for that (failures are recorded in the same shape, without the claim).

Which deliveries are disclosures. A link joins two parties, and the log cannot know whether both belong to
one organisation. So each acknowledged delivery about a patient is a disclosure as recorded by its source,
and each message of v2 about a patient, and each bundle, one as recorded by its recipient (BALP 3:5.7.7; ITI
TF-2 3.20.8): a disclosure too many can be taken out of an accounting by its link, one that is missing cannot
be put in. A FHIR request for one resource keeps the profile of its interaction instead (BALP 3:5.7.3), and an
acknowledgment tells its receiver nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from audit import codes
from audit.codes import Code

CREATE, READ, UPDATE, DELETE, EXECUTE = "CRUDE"  # EventActionCode


class Pattern(StrEnum):
    """The profiles of BALP that events keep, by the end of their canonical URL."""

    CREATE = "Create"
    READ = "Read"
    UPDATE = "Update"
    DELETE = "Delete"
    QUERY = "Query"
    PATIENT_CREATE = "PatientCreate"
    PATIENT_READ = "PatientRead"
    PATIENT_UPDATE = "PatientUpdate"
    PATIENT_DELETE = "PatientDelete"
    PATIENT_QUERY = "PatientQuery"
    DISCLOSED = "PrivacyDisclosure.Source"
    RECEIVED = "PrivacyDisclosure.Recipient"


BALP: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
OF_A_PATIENT: Final = {
    Pattern.CREATE: Pattern.PATIENT_CREATE,
    Pattern.READ: Pattern.PATIENT_READ,
    Pattern.UPDATE: Pattern.PATIENT_UPDATE,
    Pattern.DELETE: Pattern.PATIENT_DELETE,
    Pattern.QUERY: Pattern.PATIENT_QUERY,
}


class Party(StrEnum):
    """Who takes part."""

    SELF = "self"  # the application that writes the log
    PEER = "peer"  # the other end: a partner, or what a person works with
    PERSON = "person"  # a named human being
    SITE = "site"  # the organisation that runs the application


class Participant(NamedTuple):
    """One who takes part, and as what. The one who began it is the requestor."""

    party: Party
    role: Code
    requestor: bool = False


Shape = tuple[Participant, ...]
INSIDE: Final = (Participant(Party.SELF, codes.APPLICATION, True),)
TAKEN: Final = (Participant(Party.PEER, codes.SOURCE, True), Participant(Party.SELF, codes.DESTINATION))
SENT: Final = (Participant(Party.SELF, codes.SOURCE, True), Participant(Party.PEER, codes.DESTINATION))
RELEASED: Final = (*SENT, Participant(Party.SITE, codes.RECORD_KEEPING))
SHOWN: Final = (  # to a person: what is read goes to what the person works with
    Participant(Party.PERSON, codes.RECIPIENT, True),
    Participant(Party.PEER, codes.DESTINATION),
    Participant(Party.SELF, codes.SOURCE),
)
ASKED: Final = (  # BALP, Query: the question goes from its source to its destination
    Participant(Party.PERSON, codes.RECIPIENT, True),
    Participant(Party.PEER, codes.SOURCE),
    Participant(Party.SELF, codes.DESTINATION),
)
CHANGED: Final = (
    Participant(Party.PERSON, codes.AUTHOR, True),
    Participant(Party.PEER, codes.SOURCE),
    Participant(Party.SELF, codes.DESTINATION),
)
ERASED: Final = (  # BALP, Delete: an application, and who keeps the records
    Participant(Party.PERSON, codes.KEEPER, True),
    Participant(Party.PEER, codes.APPLICATION),
    Participant(Party.SELF, codes.CUSTODIAN),
)
BY_SOMEBODY: Final = (
    Participant(Party.PERSON, codes.HUMAN, True),
    Participant(Party.SELF, codes.APPLICATION),
)
AUTHORIZED: Final = (
    Participant(Party.PEER, codes.APPLICATION, True),
    Participant(Party.SELF, codes.AUTHORIZER),
)


class Subject(NamedTuple):
    """What it was done to: its name, its role, and the members of ``object`` that identify it, best first."""

    name: str
    role: Code = codes.SECURITY_RESOURCE
    fields: tuple[str, ...] = ()


MESSAGE: Final = Subject("message", codes.DOMAIN_RESOURCE, ("number",))
RECORDS: Final = Subject("records", codes.DOMAIN_RESOURCE, ("records",))
CONFLICT: Final = Subject("conflict", codes.DOMAIN_RESOURCE, ("number",))
LINK: Final = Subject("link", codes.JOB, ("link",))
PROFILE: Final = Subject("profile", codes.SECURITY_RESOURCE, ("sha256", "link"))
SETTINGS: Final = Subject("settings", codes.SECURITY_RESOURCE, ("sha256",))
KEYS: Final = Subject("keys", codes.SECURITY_RESOURCE, ("key", "kid", "partner"))
TLS: Final = Subject("tls", codes.SECURITY_RESOURCE, ("location", "listener", "end", "what"))
SESSION: Final = Subject("session", codes.SECURITY_RESOURCE, ("session", "operation"))
TOKEN: Final = Subject("token", codes.SECURITY_RESOURCE, ("token",))
OPERATION: Final = Subject("operation", codes.SECURITY_RESOURCE, ("operation",))
STORE: Final = Subject("store", codes.SECURITY_RESOURCE, ("sha256",))
LOG: Final = Subject("log", codes.SECURITY_RESOURCE, ("origin", "shard", "year"))
CLOCK: Final = Subject("clock", codes.SECURITY_RESOURCE)
SERVICE: Final = Subject("service", codes.JOB)


class Event(NamedTuple):
    """One row of the table.

    ``patterns``: of an event about a patient and of one about none; ``failing``: EventOutcomeIndicator of
    what was refused or failed (PS3.15 A.5.2: 4 it can be tried again, 8 it ended there, 12 there is no
    working on); ``lifecycle``: ParticipantObjectDataLifeCycle of the subject, or "".
    """

    id: Code
    action: str
    shape: Shape
    subject: Subject
    types: tuple[Code, ...] = ()
    patterns: tuple[Pattern | None, Pattern | None] = (None, None)
    failing: int = 8
    lifecycle: str = ""


def _rest(pattern: Pattern) -> tuple[Pattern, Pattern]:
    return OF_A_PATIENT[pattern], pattern


def _alert(kind: Code, shape: Shape, subject: Subject, failing: int = 4) -> Event:
    """Table A.5.3.11-1: always E; a minor failure is one that did no harm."""
    return Event(codes.SECURITY_ALERT, EXECUTE, shape, subject, (kind,), failing=failing)


def _login(kind: Code, shape: Shape, subject: Subject) -> Event:
    return Event(codes.USER_AUTHENTICATION, EXECUTE, shape, subject, (kind,), failing=4)


def _work(kind: Code, lifecycle: str = "", failing: int = 8, subject: Subject = MESSAGE) -> Event:
    return Event(kind, EXECUTE, INSIDE, subject, failing=failing, lifecycle=lifecycle)


_TAKEN_IN: Final = Event(codes.IMPORT, CREATE, TAKEN, MESSAGE, lifecycle="2")  # table A.5.3.5-1
_TRANSFORMED: Final = _work(codes.TRANSFORM, "5")
_SENT_OUT: Final = Event(codes.EXPORT, READ, SENT, MESSAGE, lifecycle="10")  # table A.5.3.4-1
_ACKNOWLEDGED: Final = _SENT_OUT._replace(shape=RELEASED)
_STARTED: Final = Event(codes.APPLICATION_ACTIVITY, EXECUTE, INSIDE, SERVICE, (codes.START,))
_RECORDING_STOPPED: Final = _alert(codes.RECORDING_STOPPED, INSIDE, LOG, 12)
_RECORDING_STARTED: Final = _alert(codes.RECORDING_STARTED, INSIDE, LOG)
_LOG_USED: Final = Event(codes.AUDIT_LOG_USED, READ, BY_SOMEBODY, LOG, lifecycle="6")  # table A.5.3.2-1
_CONFIGURED: Final = _alert(codes.SECURITY_CONFIGURATION, BY_SOMEBODY, KEYS)

EVENTS: Final[Mapping[str, Event]] = {
    "message:v2:received": _TAKEN_IN._replace(patterns=(Pattern.RECEIVED, None)),
    "message:v2:duplicate": _TAKEN_IN,
    "message:v2:reused": _TAKEN_IN._replace(patterns=(Pattern.RECEIVED, None)),
    "message:v2:refused": _TAKEN_IN,
    "message:v2:quarantined": _TAKEN_IN,
    "message:v2:batched": _TAKEN_IN,
    "message:v2:restarted": _alert(codes.NETWORK_CONFIGURATION, TAKEN, LINK),
    "message:v2:resynchronised": _alert(codes.NETWORK_CONFIGURATION, TAKEN, LINK),
    "message:v2:answered": _work(codes.TRANSFORM, "9"),
    "message:fhir:received": _TAKEN_IN._replace(patterns=(Pattern.RECEIVED, None)),  # see INTERACTIONS
    "message:fhir:duplicate": _TAKEN_IN,
    "message:fhir:refused": _TAKEN_IN,
    "message:v2:translated": _TRANSFORMED,
    "message:v2:unchanged": _TRANSFORMED,
    "message:v2:untranslatable": _TRANSFORMED,
    "message:fhir:translated": _TRANSFORMED,
    "message:fhir:unchanged": _TRANSFORMED,
    "message:fhir:untranslatable": _TRANSFORMED,
    "delivery:fhir:intended": _SENT_OUT,
    "delivery:fhir:acknowledged": _ACKNOWLEDGED._replace(patterns=(Pattern.DISCLOSED, Pattern.UPDATE)),
    "delivery:fhir:deferred": _SENT_OUT._replace(failing=4),
    "delivery:fhir:refused": _SENT_OUT,
    "delivery:v2:intended": _SENT_OUT,
    "delivery:v2:acknowledged": _ACKNOWLEDGED._replace(patterns=(Pattern.DISCLOSED, None)),
    "delivery:v2:deferred": _SENT_OUT._replace(failing=4),
    "delivery:v2:refused": _SENT_OUT,
    "delivery:v2:processed": _SENT_OUT,
    "conflict:kept": _work(codes.TRANSFORM, "3", subject=CONFLICT),
    "conflict:decided": Event(codes.PATIENT_RECORD, UPDATE, BY_SOMEBODY, CONFLICT, lifecycle="3"),
    "tls:handshake:refused": _alert(codes.NODE_AUTHENTICATION, TAKEN, TLS),
    "tls:peer:refused": _alert(codes.NODE_AUTHENTICATION, TAKEN, TLS),
    "tls:peer:admitted": _alert(codes.NODE_AUTHENTICATION, TAKEN, TLS),
    "tls:connection:cut": _alert(codes.NODE_AUTHENTICATION, TAKEN, TLS),
    "tls:reloaded": _alert(codes.SECURITY_CONFIGURATION, INSIDE, TLS),
    "tls:file:refused": _alert(codes.SECURITY_CONFIGURATION, INSIDE, TLS, 8),
    "tls:validity:ends": _alert(codes.SECURITY_CONFIGURATION, INSIDE, TLS),
    "access:token:accepted": _login(codes.LOGIN, TAKEN, TOKEN),
    "access:token:refused": _login(codes.LOGIN, TAKEN, OPERATION),
    "access:scope:refused": _alert(codes.RESTRICTED_FUNCTION, TAKEN, OPERATION),
    "access:login:succeeded": _login(codes.LOGIN, BY_SOMEBODY, SESSION),
    "access:login:refused": _login(codes.LOGIN, BY_SOMEBODY, SESSION),
    "access:login:ended": _login(codes.LOGOUT, BY_SOMEBODY, SESSION),
    "access:emergency:granted": _alert(codes.EMERGENCY_STARTED, BY_SOMEBODY, SERVICE),
    "access:emergency:ended": _alert(codes.EMERGENCY_STOPPED, BY_SOMEBODY, SERVICE),
    "access:emergency:refused": _alert(codes.EMERGENCY_STARTED, BY_SOMEBODY, SERVICE),
    "oauth:token:issued": _login(codes.LOGIN, AUTHORIZED, TOKEN)._replace(
        types=(codes.LOGIN, codes.GET_TOKEN)
    ),
    "oauth:token:obtained": _login(codes.LOGIN, SENT, TLS)._replace(types=(codes.LOGIN, codes.GET_TOKEN)),
    "oauth:token:refused": _login(codes.LOGIN, AUTHORIZED, TOKEN)._replace(
        types=(codes.LOGIN, codes.GET_TOKEN)
    ),
    "operator:message:replayed": Event(codes.PATIENT_RECORD, UPDATE, BY_SOMEBODY, MESSAGE, lifecycle="6"),
    "operator:message:edited": Event(
        codes.PATIENT_RECORD, UPDATE, CHANGED, MESSAGE, (), _rest(Pattern.UPDATE), lifecycle="3"
    ),
    "operator:message:skipped": Event(codes.PATIENT_RECORD, UPDATE, BY_SOMEBODY, MESSAGE, lifecycle="6"),
    "operator:content:viewed": Event(
        codes.PATIENT_RECORD, READ, SHOWN, MESSAGE, (), _rest(Pattern.READ), lifecycle="6"
    ),
    "operator:content:searched": Event(
        codes.QUERY, EXECUTE, ASKED, MESSAGE, (), _rest(Pattern.QUERY), lifecycle="6"
    ),
    "operator:link:paused": _alert(codes.NETWORK_CONFIGURATION, BY_SOMEBODY, LINK),
    "operator:link:resumed": _alert(codes.NETWORK_CONFIGURATION, BY_SOMEBODY, LINK),
    "operator:request:refused": _alert(codes.RESTRICTED_FUNCTION, BY_SOMEBODY, OPERATION),
    "service:started": _STARTED,
    "service:stopped": _STARTED._replace(types=(codes.STOP,)),
    "service:resumed": _STARTED,
    "settings:loaded": _alert(codes.SOFTWARE_CONFIGURATION, INSIDE, SETTINGS),
    "settings:changed": _alert(codes.SOFTWARE_CONFIGURATION, INSIDE, SETTINGS),
    "profile:loaded": _alert(codes.SOFTWARE_CONFIGURATION, INSIDE, PROFILE),
    "profile:changed": _alert(codes.SOFTWARE_CONFIGURATION, INSIDE, PROFILE),
    "profile:refused": _alert(codes.SOFTWARE_CONFIGURATION, INSIDE, PROFILE, 8),
    "keys:loaded": _alert(codes.SECURITY_CONFIGURATION, INSIDE, KEYS),
    "keys:rotated": _CONFIGURED,
    "keys:rewrapped": _CONFIGURED,
    "keys:forgotten": _CONFIGURED,
    "keys:verified": _CONFIGURED,
    "keys:destroyed": Event(
        codes.DESTROY, DELETE, ERASED, KEYS, (codes.OBJECT_SECURITY,), lifecycle="15"
    ),
    "store:erased": Event(
        codes.PATIENT_RECORD, DELETE, ERASED, RECORDS, (), _rest(Pattern.DELETE), lifecycle="15"
    ),
    "store:pruned": _work(codes.DESTROY, "15", subject=STORE)._replace(action=DELETE),
    "store:backup:intended": Event(codes.ARCHIVE, READ, BY_SOMEBODY, STORE, lifecycle="13"),
    "store:backup:made": Event(codes.ARCHIVE, READ, BY_SOMEBODY, STORE, lifecycle="13"),
    "store:backup:tried": Event(codes.VERIFY, READ, BY_SOMEBODY, STORE, lifecycle="4"),
    "store:backup:restored": Event(codes.RESTORE, CREATE, BY_SOMEBODY, STORE, lifecycle="2"),
    "store:refused": _alert(codes.HARDWARE_CONFIGURATION, INSIDE, STORE, 12),
    "clock:stepped": _alert(codes.SOFTWARE_CONFIGURATION, INSIDE, CLOCK),
    "clock:unsynchronised": _alert(codes.SOFTWARE_CONFIGURATION, INSIDE, CLOCK),
    "clock:synchronised": _alert(codes.SOFTWARE_CONFIGURATION, INSIDE, CLOCK),
    "audit:verified": _LOG_USED,
    "audit:viewed": _LOG_USED,
    "audit:compared": Event(
        codes.PATIENT_RECORD, READ, SHOWN, MESSAGE, (), _rest(Pattern.READ), lifecycle="4"
    ),
    "audit:exported": _LOG_USED,
    "audit:export:ended": _LOG_USED,
    "audit:reviewed": _LOG_USED,
    "audit:disclosures:listed": _LOG_USED,
    "audit:sealing:failed": _RECORDING_STOPPED,
    "audit:sealing:resumed": _RECORDING_STARTED,
    "audit:shard:opened": _RECORDING_STARTED,
    "audit:shard:disposed": Event(codes.DESTROY, DELETE, BY_SOMEBODY, LOG, lifecycle="15"),
    "audit:witness:silent": _RECORDING_STOPPED._replace(failing=8),
    "audit:witness:returned": _RECORDING_STARTED,
    "audit:witness:disagreed": _RECORDING_STOPPED._replace(failing=12),
    "audit:stamp:silent": _RECORDING_STOPPED._replace(failing=8),
    "audit:stamp:returned": _RECORDING_STARTED,
    "audit:feed:stopped": _RECORDING_STOPPED._replace(failing=8),
    "audit:feed:resumed": _RECORDING_STARTED,
    "audit:feed:skipped": _RECORDING_STOPPED._replace(failing=8),
}  # fmt: skip

INTERACTIONS: Final[Mapping[str, Pattern]] = {"create": Pattern.CREATE, "update": Pattern.UPDATE}
"""``object.interaction`` of a FHIR request for one resource: the profile that it keeps."""


class UnknownTag(ValueError):
    """An entry has a tag that this version does not know; the text of the exception does not repeat it."""


def of(entry: Mapping[str, Any]) -> Event:
    """The row of an entry. Raises ``UnknownTag``."""
    row = EVENTS.get(entry["tag"])
    if row is None:
        raise UnknownTag("the entry has a tag that this version does not know")
    return row


def outcome(row: Event, said: str) -> int:
    """EventOutcomeIndicator, which is also the code of ``AuditEvent.outcome``: 0, 4, 8 or 12."""
    return 0 if said == "success" else row.failing


def pattern(row: Event, entry: Mapping[str, Any], patients: int) -> Pattern | None:
    """The profile of BALP that the event keeps; None: none fits, or it was no success.

    ``patients``: how many the event speaks of. Each profile knows at most one (BALP 3:5.7.7: several
    patients are several events).
    """
    what = entry["object"]
    if entry["outcome"] != "success" or patients > 1 or what.get("direction") == "answer":
        return None
    asked = INTERACTIONS.get(what.get("interaction", ""))
    if asked is not None and Pattern.RECEIVED in row.patterns:
        return OF_A_PATIENT[asked] if patients else asked
    return row.patterns[0] if patients else row.patterns[1]
