"""Entries as a hospital's log holds them: one for each tag, and a plausible day. No patient is real."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

from audit.canonical import canonical
from audit.entry import Draft, Outcome, Tag, entry
from audit.log import BEFORE_THE_FIRST
from audit.merkle import leaf_hash
from audit.vocabulary import BY_TAG, check

DAY: Final = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
UNCERTAINTY: Final = 3  # milliseconds
PATIENT: Final = "9f3c51d2a8e04b76"  # a pseudonym
CORRELATION: Final = "5f0c2f6de1e84b0ab6d4b8f3a1c7d902"

_SHA: Final = "c0ffee" + "0123456789abcdef" * 3 + "0123456789"
_CERTIFICATE: Final = f"sha256:{_SHA}"
_PEER: Final = {
    "certificate": _CERTIFICATE,
    "subject": "CN=lab-north,O=Hospital",
    "address": "10.0.0.5:41022",
}
ACTORS: Final[Mapping[str, Mapping[str, Any]]] = {
    "connector": {"role": "connector"},
    "peer": {"role": "peer", **_PEER},
    "partner": {"role": "partner", **_PEER},
    "client": {"role": "client", "client": "portal", **_PEER, "subject": "CN=portal,O=Hospital"},
    "operator": {
        "role": "operator",
        "name": "d.meyer",
        "realm": "login",
        "session": "3a0c5217",
        **_PEER,
        "subject": "CN=desk-4,O=Hospital",
        "address": "10.0.7.21:50111",
    },
}
TOKEN: Final = {"role": "operator", "name": "d.meyer", "realm": "token", "client": "desk", **_PEER}
MACHINE: Final = {"role": "operator", "name": "root", "realm": "machine"}

# what each field says, where a tag does not say otherwise
_VALUES: Final[Mapping[str, Any]] = {
    "link": "lab-north", "direction": "to_fhir", "message": "ADT^A01", "interaction": "transaction",
    "resource": "Bundle", "kind": "message", "number": 41, "numbers": [57], "patient": [PATIENT],
    "patients": 1, "pseudonym": PATIENT, "content": _SHA, "contents": [_SHA], "size": 1843, "faults": 2,
    "messages": 12, "taken": 11, "duplicates": 1, "expected": 4711, "code": "AE", "sent": True,
    "cause": "PartnerRefusedMessage", "made": 1, "lost": ["PID-31", "ZBE-1"], "lost_count": 2,
    "lost_sha256": _SHA, "stale": True, "attempt": 1, "resources": 3, "revisions": 1, "acknowledgment": "AA",
    "status": 422, "issue": "business-rule", "location": "PID-3.1", "element": "Patient.telecom",
    "winner": "fhir", "listener": "mllp", "end": "mllp", "ends": ["https", "mllp"], "removed": ["lab-south"],
    "what": "mllp: our certificate", "operation": "POST /operator/replay", "why": "idle",
    "because": "the partner called", "session": "3a0c5217", "roles": ["analyst"],
    "until": "2026-11-23T18:15:00.000Z", "audience": "https://connector.hospital.example/fhir",
    "scope": "system/Patient.cu", "token": "836803cc068a44e3ba75346c3c4a2de4", "kid": "Z__d_ZpAezKSIQy6",
    "method": "private_key_jwt", "seconds": 300, "error": "invalid_client", "count": 3, "sha256": _SHA,
    "before": "e2" * 32, "drained": True, "provider": "file", "key": "2bb1fe40a541c2d7",
    "signs": "authorization",
    "origin": "hospital.example/2026", "first": 1, "last": 48211, "root": _SHA, "hash": _SHA,
    "checkpoint": "hospital.example/2026\n48211\nAAAA\n\n\N{EM DASH} hospital.example/2026 AAAA\n",
    "keys": ["hospital.example/2026+7a3b10c4+AfX0"], "sealed": 48211, "feed": "repository",
    "witness": "witness.example/w1", "witnesses": ["witness.example/w1", "other.example/w2"], "required": 1,
    "seen": 48000, "authority": "https://stamps.example/tsa",
    "seq": 4711, "waiting": 12, "since": "2026-11-23T09:00:00.000Z",
    "ended": ["qqE4Fbiv8qBLWNYSSsbFde"], "records": [41, 42], "day": "2026-11-22",
    "at": "2026-11-23T02:00:00.000Z", "entries": 48211, "most": 200, "milliseconds": -1520,
}  # fmt: skip
_OTHERWISE: Final[Mapping[Tag, Mapping[str, Any]]] = {
    Tag.MESSAGE_FHIR_TRANSLATED: {"lost": ["Patient.photo[0]"]},
    Tag.OPERATOR_CONTENT_SEARCHED: {"link": "(all)", "direction": "both", "kind": "mrn"},
    Tag.OPERATOR_LINK_PAUSED: {"direction": "both"},
    Tag.STORE_ERASED: {"scope": "patient"},
    Tag.STORE_PRUNED: {"before": "2026-10-23T00:00:00.000Z"},
    Tag.KEYS_DESTROYED: {"scope": "day"},
    Tag.KEYS_VERIFIED: {"faults": 0},
    Tag.ACCESS_LOGIN_REFUSED: {"operation": "GET /login/callback", "why": "the login took too long"},
    Tag.AUDIT_VIEWED: {"what": "who was not let in"},
    Tag.MESSAGE_FHIR_REFUSED: {"location": "Patient.birthDate"},
    Tag.ACCESS_TOKEN_REFUSED: {"location": "http.authorization"},
    Tag.ACCESS_SCOPE_REFUSED: {"location": "http.authorization"},
}
_REFUSED: Final = ("refused", "cut", "untranslatable", "quarantined")
_CYCLE: Final = ("message", "delivery")


def sample(tag: Tag | str, **otherwise: Any) -> Draft:
    """A realistic draft with every documented field; ``otherwise``: fields of its object, None: without."""
    row = BY_TAG[tag]
    said = {name: _VALUES[name] for name in sorted(row.required | row.optional)}
    said |= {"direction": "to_v2"} if "fhir" in tag and tag.startswith("message") else {}
    said |= {"direction": "to_v2"} if tag.startswith("delivery:v2") else {}
    said |= _OTHERWISE.get(row.tag, {})
    said = {name: value for name, value in {**said, **otherwise}.items() if value is not None}
    role = next(one for one in ("partner", "client", "connector", "operator", "peer") if one in row.roles)
    verb = tag.rpartition(":")[2]
    outcome = Outcome.REFUSED if verb in _REFUSED else Outcome.FAILURE if verb == "deferred" else "success"
    reason = "PartnerUnreachable" if verb == "deferred" else "UntrustedPeer" if verb in _REFUSED else ""
    correlation = CORRELATION if tag.split(":")[0] in _CYCLE or "number" in said else ""
    return Draft("2026-11-23T10:15:00.123Z", str(tag), ACTORS[role], said, str(outcome), reason, correlation)


def samples() -> list[dict[str, Any]]:
    """One realistic entry for each tag, with every documented field, in the order of ``Tag``."""
    return list(_chained(sample(tag) for tag in Tag))


def log(count: int) -> list[dict[str, Any]]:
    """The first ``count`` entries of a plausible day, the same each time."""
    drafts = _day()
    return list(_chained(next(drafts) for _ in range(count)))


def leaves(entries: list[dict[str, Any]]) -> list[bytes]:
    """The bytes of entries, as they lie in the log."""
    return [canonical(one) for one in entries]


def _chained(drafts: Iterator[Draft]) -> Iterator[dict[str, Any]]:
    previous = BEFORE_THE_FIRST
    for seq, one in enumerate(drafts, start=1):
        check(one)
        made = entry(one, seq, previous, UNCERTAINTY)
        previous = leaf_hash(canonical(made))
        yield made


def _day() -> Iterator[Draft]:
    chance, number = random.Random(2026), 0
    at = DAY
    yield _at(at, sample(Tag.SERVICE_STARTED))
    yield _at(at, sample(Tag.PROFILE_LOADED))
    rare = [tag for tag in Tag if tag.split(":")[0] not in _CYCLE]
    while True:
        number += 1
        cycle = _to_fhir(number) if chance.random() < 0.8 else _to_v2(number)
        for one in cycle:
            at += dt.timedelta(milliseconds=chance.randrange(5, 400))
            yield _at(at, one)
        if chance.random() < 0.3:
            at += dt.timedelta(milliseconds=chance.randrange(5, 400))
            yield _at(at, sample(chance.choice(rare)))


def _to_fhir(number: int) -> list[Draft]:
    tags = (
        Tag.MESSAGE_V2_RECEIVED, Tag.MESSAGE_V2_TRANSLATED, Tag.DELIVERY_FHIR_INTENDED,
        Tag.DELIVERY_FHIR_ACKNOWLEDGED,
    )  # fmt: skip
    return _about(number, tags)


def _to_v2(number: int) -> list[Draft]:
    tags = (
        Tag.MESSAGE_FHIR_RECEIVED, Tag.MESSAGE_FHIR_TRANSLATED, Tag.DELIVERY_V2_INTENDED,
        Tag.DELIVERY_V2_ACKNOWLEDGED,
    )  # fmt: skip
    return _about(number, tags)


def _about(number: int, tags: tuple[Tag, ...]) -> list[Draft]:
    patient = f"{number % 97:016x}"
    often = {"patients": None, "lost_count": None, "lost_sha256": None, "stale": None, "revisions": None}
    return [
        sample(tag, **{**often, "patient": [patient]})._replace(correlation=f"{number:032x}") for tag in tags
    ]


def _at(at: dt.datetime, one: Draft) -> Draft:
    return one._replace(time=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
