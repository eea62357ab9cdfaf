"""A month at a hospital in which everything happens that a review speaks of."""

from __future__ import annotations

import datetime as dt

from audit.review import Asked, Report, Seal, reviewed
from audit.review.disclosures import Accounting, Patient
from tests.audit.review.plain_log import BEGIN, PARTNER, PATIENT, SELF, Entry, Log, operator, peer

SINCE = BEGIN + dt.timedelta(weeks=8)
FACTS = (
    ("Made by", "bea (machine)"),
    ("Because", "the monthly review"),
    ("Made at", "2026-11-09 08:00:00 UTC"),
)
ASKED = Asked(SINCE, facts=FACTS)
SEALS = (
    Seal(
        "hospital.example/audit/2026",
        1,
        420,
        "3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "good",
        400,
        "w.example",
    ),
)
HOSTILE = "<script>alert(1)</script>\u202e\x1b[2J'\"&"
LOOKED = hex(0xFEED)[2:] * 4


def month() -> list[Entry]:
    """Eight quiet weeks, then one that is not."""
    log = Log()
    log.add("service:started")
    log.add("profile:loaded", link="lab", sha256="aa" * 32)
    for week in range(8):
        log.at = BEGIN + dt.timedelta(weeks=week, days=1, hours=10)
        log.taken(count=12, apart=200)
        log.at = BEGIN + dt.timedelta(weeks=week, days=2, hours=10)
        log.taken(count=12, apart=200)
    _monday(log)
    _tuesday(log)
    _thursday(log)
    return log.entries


def _monday(log: Log) -> None:
    log.at = SINCE + dt.timedelta(hours=9)
    log.message()
    log.message(patient="8899aabbccddeeff")
    log.message(end="deferred")
    log.looked("ann", "ticket 4711")
    log.looked("ann", "ticket 4711")
    what = {"link": "(all)", "direction": "both", "kind": "mrn", "pseudonym": LOOKED, "because": "a call"}
    log.add("operator:content:searched", operator("cho", "login", session="s1"), after=60, **what)
    acted = {"link": "lab", "direction": "to_fhir", "number": 7, "kind": "delivery", "because": "fixed"}
    log.add("operator:message:replayed", operator("ann"), after=60, **acted)
    log.at = SINCE + dt.timedelta(hours=22)
    log.looked("dan", "on call", patient="")


def _tuesday(log: Log) -> None:
    log.at = SINCE + dt.timedelta(days=1, hours=10)
    log.taken(count=100, apart=20)
    for name in ("eve", "fay", "gus"):
        log.looked(name, "curious")
    granted = operator("hal", "login", session="s2")
    until = "2026-11-03T12:30:00.000Z"
    log.at = SINCE + dt.timedelta(days=1, hours=11, minutes=30)
    log.add("access:emergency:granted", granted, because="ward 3, system down", until=until)
    for _ in range(20):
        log.looked("hal", "ward 3", realm="login", emergency=True)
    log.add("operator:link:paused", granted, after=5, link="lab", direction="intake", because="ward 3")
    log.add("access:emergency:ended", granted, after=60)
    for port in range(3):
        log.refused(
            "tls:handshake:refused", peer(f"203.0.113.9:{port}"), "certificate revoked", listener="mllp"
        )
    log.refused("tls:handshake:refused", peer(""), "timeout", listener="mllp", count=480)
    log.refused(
        "access:scope:refused", peer("[2001:db8::1]:443", subject=f"CN={HOSTILE}"), "Forbidden",
        operation="POST /operators/v1/replay",
    )  # fmt: skip
    faulty = {"link": "lab", "direction": "to_fhir", "faults": 1, "location": "MSH-9"}
    log.refused("message:v2:refused", PARTNER, "UnknownMessage", **faulty)


def _thursday(log: Log) -> None:
    log.at = SINCE + dt.timedelta(days=3, hours=6)
    log.add("service:started", after=600)
    log.add("profile:loaded", link="lab", sha256="bb" * 32)
    log.add("keys:rotated", operator("kim"), provider="file", key="kek-2", because="yearly")
    log.add("store:refused", SELF, outcome="failure", reason="StoreUnavailable", count=3)
    told = {"patient": [PATIENT], "because": "the patient asks"}
    log.add("audit:disclosures:listed", operator("bea"), after=60, **told)
    log.add("service:stopped", after=600, drained=True)
    log.add("service:started", after=-900)
    log.add("audit:reviewed", operator("bea"), after=1200, because="the monthly review")


def report() -> Report:
    """What is to be seen of that week."""
    return reviewed(month(), ASKED, SEALS)


def accounting() -> Report:
    """Of the patient whom most entries are about."""
    patient = Patient(
        frozenset({PATIENT}),
        frozenset({LOOKED}),
        purposes={"lab": "treatment: results to the ordering practice"},
        places={("lab", "fhir"): "https://fhir.practice.example/r4"},
        facts=FACTS,
    )
    counted = Accounting(patient)
    for entry in month():
        counted.see(entry)
    return counted.report(SEALS)
