"""The words of an entry: each field with its meaning, its form and its length, and who can be an actor.

A name means the same wherever it stands. Texts are limited, so that an entry always has room in a bundle of
the tree (65,535 bytes), whatever others have put into a certificate or a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

Form = Literal["text", "number", "flag", "texts", "numbers"]
MANY: Final = 400  # members of a list, where a field does not say otherwise
FEW: Final = 50
LOCATIONS: Final = 20_000  # of what was lost; whoever drafts the entry sees to the bytes


class Field(NamedTuple):
    """One field. ``most``: characters of a text, members of a list."""

    meaning: str
    form: Form = "text"
    most: int = 200


FIELDS: Final[Mapping[str, Field]] = {
    # whose and which
    "link": Field("the partner profile by its name; (nobody): none is known; (all): every one"),
    "direction": Field("to_fhir, to_v2, answer (to who sent v2), both, or intake", most=20),
    "message": Field("message code and trigger event of v2, such as ADT^A01", most=40),
    "interaction": Field("what a FHIR request asks: transaction, batch, message, create or update", most=20),
    "resource": Field("the type of a FHIR resource", most=64),
    "kind": Field(
        "what the number counts: message (received), delivery (made) or conflict; of a search: mrn, account,"
        " accession or control id",
        most=20,
    ),
    "number": Field("the row in the store, of the kind that is named or that the tag is about", "number"),
    "numbers": Field(
        "the rows of the deliveries made, in their order, where they are few; of an edit: where the original"
        " is kept, or the copy stands",
        "numbers",
        FEW,
    ),
    "patient": Field(
        "pseudonyms of the patients it is about: keyed, of each medical record number with its authority",
        "texts",
    ),
    "patients": Field("how many pseudonyms there are, where that is more than are listed", "number"),
    "pseudonym": Field(
        "keyed, of the one value that was looked for or erased, without its authority", most=32
    ),
    "content": Field(
        "commitment to its bytes: HMAC-SHA-256 under a salt that dies with the key of its record",
        most=64,
    ),
    "contents": Field("as content, of each of the numbers", "texts", FEW),
    "size": Field("bytes", "number"),
    # what became of it
    "faults": Field("how many faults were found; the reason names the first", "number"),
    "messages": Field("messages in a file or batch", "number"),
    "taken": Field("messages of it that were taken", "number"),
    "duplicates": Field("messages of it that had been taken before", "number"),
    "expected": Field("the next sequence number", "number"),
    "code": Field("the acknowledgment code that was made", most=20),
    "sent": Field("whether the sender wants to hear it", "flag"),
    "cause": Field("the name of the error by which it was not delivered"),
    "made": Field("how many messages were made of it", "number"),
    "lost": Field("locations that the other side cannot say; never values", "texts", LOCATIONS),
    "lost_count": Field("how many there are, where not all are listed", "number"),
    "lost_sha256": Field("SHA-256 of all, a line each, where not all are listed", most=64),
    "stale": Field("it tells of something older than what is known", "flag"),
    "attempt": Field("counts from 1", "number"),
    "resources": Field("resources that were written", "number"),
    "revisions": Field("resources that somebody had changed meanwhile", "number"),
    "acknowledgment": Field("what the partner answered, such as AA or CA", most=40),
    "status": Field("the HTTP status of the partner's answer", "number"),
    "issue": Field("the issue code of the partner's OperationOutcome", most=40),
    "location": Field("where: a field, an element, a part of the request, a file; never a value", most=500),
    "element": Field("the element of a resource", most=300),
    "winner": Field("whose change stands: v2 or fhir; hold: a person decides", most=20),
    # who may
    "listener": Field("mllp or https", most=20),
    "end": Field("the listener, or the connection that we make, by its name"),
    "ends": Field("listeners and connections that we make, by their names", "texts"),
    "removed": Field("certificates and links that may speak no more", "texts"),
    "what": Field("what it is, in words", most=300),
    "operation": Field("the request or the command", most=200),
    "why": Field("in words of ours", most=500),
    "because": Field("why, in the words of who did it; not for patients' words", most=200),
    "session": Field("the login's session, by a label that opens nothing", most=40),
    "roles": Field("the roles of the person", "texts"),
    "until": Field("when it ends, or what is asked for; RFC 3339, UTC", most=40),
    "audience": Field("for whom the token is", most=500),
    "scope": Field("of a token: its scopes; of an erasure: record, patient or day", most=4000),
    "token": Field("the token by its jti, or by a digest where it has none that is short", most=200),
    "kid": Field("the key that signed", most=200),
    "method": Field("how the client proved who it is", most=60),
    "seconds": Field("for how long it counts", "number"),
    "error": Field("the error code of RFC 6749", most=60),
    "count": Field("how many: times, keys or requests, as the tag says", "number"),
    # ourselves
    "sha256": Field("of the file as it is now, or of the database in a backup; empty: it is gone", most=64),
    "before": Field("what was there before: a hash, a key id; of pruning: up to when", most=200),
    "drained": Field("whether everything in hand ended in time", "flag"),
    "provider": Field("where the key is: file, aws, vault, pkcs11 ...", most=40),
    "key": Field("the key-encryption key by its name", most=300),
    "signs": Field("what the key signs for: authorization", most=40),
    "ended": Field("signing keys whose tokens count no more", "texts"),
    "records": Field("the received messages, by their rows", "numbers"),
    "day": Field("2026-11-23, UTC", most=10),
    "at": Field("when the backup was made", most=40),
    "entries": Field("how many entries the audit log had, or were seen", "number"),
    "most": Field("at most so many at once", "number"),
    "origin": Field("of the shard of the log: its site and year"),
    "first": Field("the entry with which the shard begins", "number"),
    "last": Field("the entry with which the shard ends", "number"),
    "root": Field("the root of the shard's tree, hexadecimal", most=64),
    "hash": Field("the hash of the shard's last entry, hexadecimal", most=64),
    "checkpoint": Field("the last signed checkpoint of the shard, as it was published", most=6_000),
    "keys": Field("public keys of the log, as C2SP vkeys", "texts"),
    "sealed": Field("the last entry below a signed checkpoint", "number"),
    "witness": Field("the witness, by the name of its key"),
    "witnesses": Field("all witnesses, by the names of their keys", "texts"),
    "required": Field("how many of them must cosign", "number"),
    "seen": Field("how many entries of the log the witness has seen", "number"),
    "authority": Field("who puts time-stamps on the log, by the address", most=500),
    "feed": Field("the feed to an audit record repository, by its name"),
    "seq": Field("the entry: the last that the repository surely has, or the one that is left out", "number"),
    "waiting": Field("entries that wait for the repository", "number"),
    "since": Field("when an outage, or what is asked for, begins; RFC 3339", most=40),
    "milliseconds": Field("how far the clock stepped; negative: back", "number"),
}


class Role(NamedTuple):
    """A kind of actor: what it is, and what is said of it. ``always``: the fields that are never missing."""

    meaning: str
    fields: frozenset[str]
    always: frozenset[str] = frozenset()


ACTORS: Final[Mapping[str, Field]] = {
    "role": Field("which kind of actor", most=20),
    "certificate": Field("sha256:<hex> of the certificate shown", most=80),
    "subject": Field("the distinguished name in it, RFC 4514; cut where it is longer", most=500),
    "address": Field("host and port", most=80),
    "client": Field("the OAuth client", most=200),
    "name": Field(
        "the person: the user of the machine, the subject of the token, or who logged in", most=200
    ),
    "realm": Field("whose name it is: machine, token or login", most=20),
    "session": Field("the login's session, by a label that opens nothing", most=40),
    "emergency": Field("only since the person broke the glass", "flag"),
}

_SHOWN: Final = frozenset({"certificate", "subject", "address"})
ROLES: Final[Mapping[str, Role]] = {
    "connector": Role("the connector itself", frozenset()),
    "peer": Role("the other end of a connection, before or without being known", _SHOWN),
    "partner": Role("who sends v2: the link in object names the profile", _SHOWN, frozenset({"certificate"})),
    "client": Role("an OAuth client", _SHOWN | {"client"}, frozenset({"client"})),
    "operator": Role(
        "a person: at a command, with a token, or logged in",
        _SHOWN | {"name", "realm", "client", "session", "emergency"},
        frozenset({"name", "realm"}),
    ),
}

REASON: Final = Field("the name of an error, or what TLS said", most=500)
CORRELATION: Final = Field("ties together all that happened to one message", most=100)


def _text(value: Any, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most


def _number(value: Any, most: int) -> bool:
    return type(value) is int


def _flag(value: Any, most: int) -> bool:
    return type(value) is bool


def _texts(value: Any, most: int) -> bool:
    return isinstance(value, list | tuple) and len(value) <= most and all(isinstance(x, str) for x in value)


def _numbers(value: Any, most: int) -> bool:
    return isinstance(value, list | tuple) and len(value) <= most and all(type(x) is int for x in value)


HOLDS: Final[Mapping[Form, Callable[[Any, int], bool]]] = {
    "text": _text,
    "number": _number,
    "flag": _flag,
    "texts": _texts,
    "numbers": _numbers,
}
