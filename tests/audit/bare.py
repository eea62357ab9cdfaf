"""Entries with as little in them as there can be, and with as much: what forms of events are tested on."""

from __future__ import annotations

from typing import Any, Final

from audit.entry import Draft, Outcome, entry
from audit.events import EVENTS, Party
from audit.parties import Source

SOURCE: Final = Source("st-anna.example", "connector-1.st-anna.example")
PATIENT: Final = "0123456789abcdef"
OTHER: Final = "fedcba9876543210"
PEER: Final = {"certificate": f"sha256:{'ab' * 32}", "subject": "CN=lab,O=Lab", "address": "10.1.2.3:50123"}
HOSTILE: Final = '<a b="c">&\'\t\n\r\x00\x1f\x7f\x85\u2028\ufffe ☃ \U0001f600]]>--'


def bare(tag: str, **change: Any) -> dict[str, Any]:
    """An entry that says nothing but what happened; ``change``: members of it."""
    draft = Draft("2026-11-23T10:00:00.123Z", "service:started", {"role": "connector"}, {})
    return {**entry(draft, 7, bytes(32)), "tag": tag, **change}


def full(tag: str, **change: Any) -> dict[str, Any]:
    """An entry that names somebody, a patient, a link and a message."""
    parties = {one.party for one in EVENTS[tag].shape}
    actor: dict[str, Any] = {"role": "connector"}
    if Party.PERSON in parties:
        actor = {"role": "operator", "name": "m.huber", "realm": "login", "emergency": True, **PEER}
    elif Party.PEER in parties and not tag.startswith("delivery:"):
        actor = {"role": "client", "client": "lab-app", **PEER}
    what = {"link": "anna", "direction": "to_fhir", "number": 4, "kind": "mrn", "patient": [PATIENT]}
    said = {"actor": actor, "object": what, "correlation": "0198-7c", "uncertainty": 12}
    return bare(tag, **(said | change))


def refused(tag: str) -> dict[str, Any]:
    """The same, but it came to nothing."""
    return full(tag, outcome=Outcome.REFUSED, reason="Forbidden")


def several(tag: str) -> dict[str, Any]:
    """An entry about two patients."""
    one = full(tag)
    return {**one, "object": {**one["object"], "patient": [PATIENT, OTHER]}}


def hostile(tag: str) -> dict[str, Any]:
    """An entry whose every text holds what breaks XML and FHIR strings."""
    one = full(tag, reason=HOSTILE)
    actor = {name: HOSTILE if name != "role" else value for name, value in one["actor"].items()}
    what = {"link": HOSTILE, "kind": HOSTILE, "because": HOSTILE, "patient": [HOSTILE], "lost": [HOSTILE] * 9}
    return {**one, "actor": actor, "object": what, "correlation": HOSTILE}
