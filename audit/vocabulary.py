"""What each tag says: its meaning, the fields of ``object``, and who can have done it. A closed set.

``check`` is asked at each append: what is not described here does not get into the log, so that whoever reads
the log knows all that can be in it, and nothing of a patient gets in under a name that nobody thought of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from audit.entry import Drafted, EntryRefused, Tag
from audit.fields import ACTORS, CORRELATION, FIELDS, HOLDS, REASON, ROLES, Field


class Row(NamedTuple):
    """One tag. ``roles``: who can be its actor."""

    tag: Tag
    meaning: str
    required: frozenset[str]
    optional: frozenset[str]
    roles: frozenset[str]


def _row(tag: Tag, meaning: str, fields: str, roles: str) -> Row:
    """``fields``: names with a blank between them, ``?`` behind those that may be missing."""
    named = fields.split()
    optional = frozenset(name[:-1] for name in named if name.endswith("?"))
    required = frozenset(name for name in named if not name.endswith("?"))
    return Row(tag, meaning, required, optional, frozenset(roles.split()))


_TAKEN: Final = "link direction message size patient? patients?"
_OUT: Final = "link direction number? attempt patient? patients?"
_FAILED: Final = f"{_OUT} location? status? issue?"
_SEEN: Final = "link direction number because patient? patients?"
_MADE: Final = (
    "link direction made lost lost_count? lost_sha256? stale? numbers? contents? patient? patients?"
)
_US: Final = "connector"
_V2: Final = "partner operator"  # a person takes a file in the partner's place
_ANY: Final = "peer partner client operator"

_T = Tag
ROWS: Final = (
    # a message came in
    _row(_T.MESSAGE_V2_RECEIVED, "a v2 message was taken", f"{_TAKEN} number? content?", _V2),
    _row(_T.MESSAGE_V2_DUPLICATE, "the same again: answered as before, not taken twice", _TAKEN, _V2),
    _row(_T.MESSAGE_V2_REUSED, "taken, under a control id that came before with other content", _TAKEN, _V2),
    _row(
        _T.MESSAGE_V2_REFUSED,
        "a v2 message, file or frame was refused",
        "link direction faults? messages? taken? duplicates? location?",
        f"{_V2} peer",
    ),
    _row(
        _T.MESSAGE_V2_QUARANTINED,
        "bytes that nobody can read were kept aside",
        "link direction size location? number? content?",
        _V2,
    ),
    _row(
        _T.MESSAGE_V2_BATCHED,
        "a file or batch was gone through; each message has its own entry",
        "link direction messages taken duplicates",
        _V2,
    ),
    _row(
        _T.MESSAGE_V2_RESTARTED,
        "MSH-13 is 0: the sender asks where its stream stands",
        "link direction expected",
        _V2,
    ),
    _row(_T.MESSAGE_V2_RESYNCHRONISED, "MSH-13 is -1: its next number is the first", "link direction", _V2),
    _row(
        _T.MESSAGE_V2_ANSWERED,
        "its application acknowledgment is made; see delivery:v2",
        "link direction code sent cause patient? patients?",
        _US,
    ),
    _row(
        _T.MESSAGE_FHIR_RECEIVED,
        "a FHIR request was taken",
        "link direction interaction resource size patient? patients? number? content?",
        "client",
    ),
    _row(
        _T.MESSAGE_FHIR_DUPLICATE,
        "the same FHIR request again",
        "link direction interaction resource size patient? patients?",
        "client",
    ),
    _row(_T.MESSAGE_FHIR_REFUSED, "a FHIR request was refused", "link direction location?", "client peer"),
    # it was put into the other side's words
    _row(_T.MESSAGE_V2_TRANSLATED, "v2 was put into FHIR", _MADE, _US),
    _row(_T.MESSAGE_V2_UNCHANGED, "v2 says nothing new: nothing to deliver", _MADE, _US),
    _row(
        _T.MESSAGE_V2_UNTRANSLATABLE,
        "v2 that cannot be put into FHIR: now a dead letter",
        "link direction location? patient? patients?",
        _US,
    ),
    _row(_T.MESSAGE_FHIR_TRANSLATED, "FHIR was put into v2", _MADE, _US),
    _row(_T.MESSAGE_FHIR_UNCHANGED, "FHIR says nothing new, or no v2 message tells it", _MADE, _US),
    _row(
        _T.MESSAGE_FHIR_UNTRANSLATABLE,
        "FHIR that cannot be put into v2: now a dead letter",
        "link direction location? patient? patients?",
        _US,
    ),
    # it goes out
    _row(_T.DELIVERY_FHIR_INTENDED, "about to be sent to the FHIR side", _OUT, _US),
    _row(_T.DELIVERY_FHIR_ACKNOWLEDGED, "the FHIR side has it", f"{_OUT} resources? revisions?", _US),
    _row(_T.DELIVERY_FHIR_DEFERRED, "it did not work and is tried again", _FAILED, _US),
    _row(_T.DELIVERY_FHIR_REFUSED, "never taken: now a dead letter, or its lanes stop", _FAILED, _US),
    _row(_T.DELIVERY_V2_INTENDED, "about to be sent to the v2 side", _OUT, _US),
    _row(_T.DELIVERY_V2_ACKNOWLEDGED, "the v2 side has it", f"{_OUT} acknowledgment", _US),
    _row(_T.DELIVERY_V2_DEFERRED, "it did not work and is tried again", _FAILED, _US),
    _row(_T.DELIVERY_V2_REFUSED, "never taken: now a dead letter, or its lanes stop", _FAILED, _US),
    _row(
        _T.DELIVERY_V2_PROCESSED,
        "what the partner's application said after its commit acknowledgment",
        "link direction number? acknowledgment location? patient? patients?",
        _US,
    ),
    _row(
        _T.CONFLICT_KEPT,
        "both sides changed an element; what lost is kept, or a person decides",
        "link direction element winner patient? patients?",
        _US,
    ),
    _row(
        _T.CONFLICT_DECIDED,
        "a person said whose change stands",
        "link direction number element winner because patient? patients?",
        "operator",
    ),
    # who may
    _row(_T.TLS_HANDSHAKE_REFUSED, "a peer was not let in", "listener count?", "peer"),
    _row(
        _T.TLS_PEER_REFUSED,
        "a good certificate that may not speak here",
        "link? direction? count? operation? location?",
        "peer partner",
    ),
    _row(
        _T.TLS_PEER_ADMITTED,
        "a certificate was let in: the first time, then how often since the last entry",
        "listener count link?",
        "peer partner",
    ),
    _row(
        _T.TLS_CONNECTION_CUT,
        "its certificate was revoked, removed or ended while it was open",
        "end",
        "peer",
    ),
    _row(_T.TLS_RELOADED, "certificates, keys, lists or who may speak were read anew", "ends removed", _US),
    _row(_T.TLS_FILE_REFUSED, "a file cannot be used; what was before stays in force", "location", _US),
    _row(
        _T.TLS_VALIDITY_ENDS,
        "a certificate or list, ours or a partner's, ends soon; once a day",
        "what until location?",
        _US,
    ),
    _row(
        _T.ACCESS_TOKEN_ACCEPTED,
        "an access token was accepted; once for each token and certificate",
        "token link? direction?",
        "client operator",
    ),
    _row(
        _T.ACCESS_TOKEN_REFUSED,
        "an access token, or a request without one, was refused",
        "link? direction? operation? location?",
        _ANY,
    ),
    _row(
        _T.ACCESS_SCOPE_REFUSED,
        "somebody known asked for more than is granted",
        "link? direction? operation? location?",
        _ANY,
    ),
    _row(_T.ACCESS_LOGIN_SUCCEEDED, "a person logged in", "session roles until", "operator"),
    _row(_T.ACCESS_LOGIN_REFUSED, "a login was refused", "operation why", "peer"),
    _row(
        _T.ACCESS_LOGIN_ENDED,
        "a session ended: logged off, idle, longest time, or the service stopped",
        "session roles why",
        "operator",
    ),
    _row(_T.ACCESS_EMERGENCY_GRANTED, "a person broke the glass", "because until", "operator"),
    _row(_T.ACCESS_EMERGENCY_ENDED, "the person ended the emergency before its time", "", "operator"),
    _row(_T.ACCESS_EMERGENCY_REFUSED, "somebody may not break the glass", "because", "operator"),
    _row(
        _T.OAUTH_TOKEN_ISSUED,
        "our token endpoint gave out a token",
        "audience scope token kid method seconds",
        "client",
    ),
    _row(_T.OAUTH_TOKEN_OBTAINED, "we got a token from a partner's token endpoint", "end seconds", _US),
    _row(_T.OAUTH_TOKEN_REFUSED, "our token endpoint gave none", "error why count", "peer client"),
    # people
    _row(_T.OPERATOR_MESSAGE_REPLAYED, "a message was put back into its lane", f"{_SEEN} kind", "operator"),
    _row(
        _T.OPERATOR_MESSAGE_EDITED,
        "a corrected copy stands in the place of a message",
        f"{_SEEN} kind size content? numbers? contents?",
        "operator",
    ),
    _row(
        _T.OPERATOR_MESSAGE_SKIPPED,
        "what stopped its lanes is a dead letter now",
        f"{_SEEN} kind",
        "operator",
    ),
    _row(_T.OPERATOR_CONTENT_VIEWED, "somebody read what a message says", f"{_SEEN} kind", "operator"),
    _row(
        _T.OPERATOR_CONTENT_SEARCHED,
        "messages were looked for by an identifier",
        "link direction kind pseudonym because patient? patients?",
        "operator",
    ),
    _row(_T.OPERATOR_LINK_PAUSED, "nothing goes out, or comes in", "link direction because", "operator"),
    _row(_T.OPERATOR_LINK_RESUMED, "a pause was taken away", "link direction because", "operator"),
    _row(
        _T.OPERATOR_REQUEST_REFUSED,
        "what somebody asked was refused",
        "operation location?",
        "operator peer",
    ),
    # ourselves
    _row(_T.SERVICE_STARTED, "the service started", "", _US),
    _row(_T.SERVICE_STOPPED, "the service stopped", "drained", _US),
    _row(_T.SERVICE_RESUMED, "it was told (SIGHUP) to read its files and to try again what waits", "", _US),
    _row(_T.SETTINGS_LOADED, "the settings are in force as they were", "sha256", _US),
    _row(_T.SETTINGS_CHANGED, "the settings are others than before", "before sha256", _US),
    _row(_T.PROFILE_LOADED, "a partner profile is in force as it was", "link sha256", _US),
    _row(_T.PROFILE_CHANGED, "a partner profile is another than before", "link before sha256", _US),
    _row(_T.PROFILE_REFUSED, "the service cannot start with this configuration", "location?", "connector"),
    _row(_T.KEYS_LOADED, "the key-encryption key was found and opens the store", "provider key", _US),
    _row(
        _T.KEYS_ROTATED,
        "another key wraps, or signs, from now on",
        "provider? key? signs? kid? before? ended? because?",
        "operator connector",
    ),
    _row(_T.KEYS_REWRAPPED, "the current key wraps what others had wrapped", "count because?", "operator"),
    _row(_T.KEYS_FORGOTTEN, "one that wrapped nothing is taken away", "provider key because?", "operator"),
    _row(_T.KEYS_VERIFIED, "keys were opened, to see that they do", "count faults because?", "operator"),
    _row(
        _T.KEYS_DESTROYED,
        "the keys of a partner and day are destroyed: what came then can be read no more",
        "scope link day count because?",
        "operator",
    ),
    _row(
        _T.STORE_ERASED,
        "the data keys of messages are destroyed: nobody can read them again",
        "scope records because? link? day? pseudonym? patient? patients?",
        "operator",
    ),
    _row(_T.STORE_PRUNED, "what was done long enough ago is forgotten", "link direction before most", _US),
    _row(_T.STORE_BACKUP_INTENDED, "a backup is about to be written", "", "operator"),
    _row(_T.STORE_BACKUP_MADE, "a backup was written and read back", "at entries sha256", "operator"),
    _row(
        _T.STORE_BACKUP_TRIED,
        "a backup was restored beside the store, looked through and thrown away",
        "at entries sha256",
        "operator",
    ),
    _row(_T.STORE_BACKUP_RESTORED, "this store comes from a backup", "at entries sha256", "operator"),
    _row(_T.STORE_REFUSED, "the disk, the database or this log did not take something", "count", _US),
    _row(_T.CLOCK_STEPPED, "the clock was set, by more than it drifts", "milliseconds", _US),
    _row(_T.CLOCK_UNSYNCHRONISED, "the clock is not synchronised any more, or was not at the start", "", _US),
    _row(_T.CLOCK_SYNCHRONISED, "the clock is synchronised again", "", _US),
    _row(_T.AUDIT_VERIFIED, "the log was verified", "entries", "connector operator"),
    _row(_T.AUDIT_SEALING_FAILED, "no checkpoint can be signed", "sealed?", _US),
    _row(_T.AUDIT_SEALING_RESUMED, "checkpoints are signed again", "sealed?", _US),
    _row(_T.AUDIT_SHARD_OPENED, "a year of the log begins", "origin first keys?", _US),
    _row(
        _T.AUDIT_SHARD_DISPOSED,
        "a year is past its retention: its rows and tiles are gone",
        "origin first last size root hash checkpoint because",
        "operator",
    ),
    _row(_T.AUDIT_WITNESS_SILENT, "too few witnesses cosign, for too long", "required witnesses", _US),
    _row(_T.AUDIT_WITNESS_RETURNED, "enough witnesses cosign again", "required witnesses", _US),
    _row(_T.AUDIT_WITNESS_DISAGREED, "a witness has seen another log", "witness origin entries seen?", _US),
    _row(_T.AUDIT_STAMP_SILENT, "no time-stamp was put on the log for too long", "authority", _US),
    _row(_T.AUDIT_STAMP_RETURNED, "time-stamps are put on it again", "authority", _US),
    _row(
        _T.AUDIT_FEED_STOPPED,
        "an audit record repository gets nothing; once for each kind of error",
        "feed seq? waiting? status? issue?",
        _US,
    ),
    _row(_T.AUDIT_FEED_RESUMED, "the repository gets all that waited", "feed seq? since?", _US),
    _row(_T.AUDIT_FEED_SKIPPED, "the repository never takes an entry, which is left out", "feed seq", _US),
    _row(_T.AUDIT_REVIEWED, "somebody reads a review of a period", "because since? until? link?", "operator"),
    _row(
        _T.AUDIT_DISCLOSURES_LISTED,
        "somebody reads the accounting of disclosures for a patient",
        "because patient since? until?",
        "operator",
    ),
    _row(
        _T.AUDIT_EXPORTED,
        "part of this log is about to be taken away",
        "because since? until? link? patient? what?",
        "operator",
    ),
    _row(_T.AUDIT_EXPORT_ENDED, "it was handed over whole, or not", "entries size? sha256?", "operator"),
    _row(_T.AUDIT_VIEWED, "somebody read entries of this log", "what because?", "operator"),
    _row(_T.AUDIT_COMPARED, "a record was compared with the commitment to it", f"{_SEEN} kind", "operator"),
)
BY_TAG: Final[Mapping[str, Row]] = {str(row.tag): row for row in ROWS}

_Holds = Callable[[Any, int], bool]
_Known = Mapping[str, tuple[_Holds, int]]


def _known(names: frozenset[str], fields: Mapping[str, Field]) -> _Known:
    return {name: (HOLDS[fields[name].form], fields[name].most) for name in names}


_OBJECTS: Final = {
    tag: (row.required, _known(row.required | row.optional, FIELDS)) for tag, row in BY_TAG.items()
}
_ACTORS: Final = {name: (role.always, _known(role.fields | {"role"}, ACTORS)) for name, role in ROLES.items()}


def check(draft: Drafted) -> None:
    """Raises ``EntryRefused`` for a field, a role or a length that is not documented; never says a value."""
    row = BY_TAG.get(draft.tag)
    if row is None:
        raise EntryRefused("the tag is not one of the closed set")
    actor = draft.actor
    role = actor.get("role")
    if role not in row.roles:
        raise EntryRefused(f"{row.tag}: the role of the actor is not one of this tag")
    _checked(row.tag, "actor", actor, *_ACTORS[role])
    _checked(row.tag, "object", draft.object, *_OBJECTS[row.tag])
    if len(draft.reason) > REASON.most or len(draft.correlation) > CORRELATION.most:
        raise EntryRefused(f"{row.tag}: the reason or the correlation is too long")


def _checked(tag: Tag, where: str, said: Mapping[str, Any], always: frozenset[str], known: _Known) -> None:
    if not always <= said.keys():
        raise EntryRefused(f"{tag}: {where} lacks {', '.join(sorted(always - said.keys()))}")
    for name, value in said.items():
        found = known.get(name)
        if found is None:  # the name itself may be anything
            raise EntryRefused(f"{tag}: {where} has a field that is not documented")
        holds, most = found
        if not holds(value, most):
            raise EntryRefused(f"{tag}: {where}.{name} is of another form, or too long")
