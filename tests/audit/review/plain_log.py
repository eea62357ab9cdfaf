"""Entries of an audit log, written by hand: a hospital's weeks, and what is planted in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

BEGIN = dt.datetime(2026, 9, 7, tzinfo=dt.UTC)  # a Monday
PATIENT = "0011223344556677"
PARTNER = {
    "role": "partner",
    "certificate": "sha256:aa11",
    "subject": "CN=lab.example",
    "address": "10.0.0.5:50123",
}
SELF = {"role": "connector"}
Entry = dict[str, Any]


def operator(name: str, realm: str = "machine", **known: Any) -> Entry:
    return {"role": "operator", "name": name, "realm": realm, **known}


def peer(address: str, **shown: str) -> Entry:
    return {"role": "peer", "address": address, **shown}


class Log:
    """Entries, numbered as they are added; ``at`` is where the clock stands."""

    def __init__(self, at: dt.datetime = BEGIN) -> None:
        self.at, self.entries = at, list[Entry]()

    def add(
        self,
        tag: str,
        actor: Mapping[str, Any] = SELF,
        *,
        outcome: str = "success",
        reason: str = "",
        correlation: str = "",
        after: float = 0.0,
        **what: Any,
    ) -> Entry:
        """One entry, ``after`` so many seconds."""
        self.at += dt.timedelta(seconds=after)
        entry = {
            "actor": dict(actor),
            "correlation": correlation,
            "format": 2,
            "object": what,
            "outcome": outcome,
            "previous": "00" * 32,
            "reason": reason,
            "seq": len(self.entries) + 1,
            "tag": tag,
            "time": self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "uncertainty": 20,
        }
        self.entries.append(entry)
        return entry

    def refused(self, tag: str, actor: Mapping[str, Any], reason: str, **what: Any) -> Entry:
        """Somebody was not let in, or something was not taken."""
        return self.add(tag, actor, outcome="refused", reason=reason, **what)

    def taken(self, link: str = "lab", count: int = 1, apart: float = 0.0, **told: Any) -> None:
        """Messages that came in, and no more."""
        for _ in range(count):
            what = {"link": link, "direction": "to_fhir", "message": "ADT^A01", "size": 900, **told}
            self.add("message:v2:received", PARTNER, **what)
            self.at += dt.timedelta(seconds=apart)

    def message(self, link: str = "lab", patient: str = PATIENT, end: str = "acknowledged") -> str:
        """One message on its way to the FHIR side, which ends so; its correlation."""
        correlation, about = f"c{len(self.entries) + 1}", {"patient": [patient]} if patient else {}
        place = {"link": link, "direction": "to_fhir"}
        what = {**place, "message": "ORU^R01", "size": 2100, **about}
        self.add("message:v2:received", PARTNER, correlation=correlation, **what)
        made = {"made": 1, "lost": ["PID-8"], **about}
        self.add("message:v2:translated", correlation=correlation, after=0.2, **place, **made)
        out = {**place, "number": len(self.entries), "attempt": 1, **about}
        self.add("delivery:fhir:intended", correlation=correlation, after=0.1, **out)
        if end == "acknowledged":
            self.add("delivery:fhir:acknowledged", correlation=correlation, after=0.3, **out, resources=2)
        elif end:
            failed = {"outcome": "failure", "reason": "PartnerRefusedMessage", "after": 0.3}
            self.add(f"delivery:fhir:{end}", correlation=correlation, **failed, **out)
        return correlation

    def looked(self, name: str, because: str, patient: str = PATIENT, **known: Any) -> Entry:
        """Somebody read what a message says."""
        what = {"link": "lab", "direction": "to_fhir", "kind": "message", "number": 7, "because": because}
        about = {"patient": [patient]} if patient else {}
        return self.add("operator:content:viewed", operator(name, **known), after=5, **what, **about)


def hours(counts: list[int], link: str = "lab", refused: bool = False) -> list[Entry]:
    """One hour of the same weekday in as many weeks as there are counts, the earliest first."""
    log = Log()
    for week, count in enumerate(counts):
        log.at = BEGIN + dt.timedelta(weeks=week, hours=10)
        if refused:
            for _ in range(count):
                log.refused(
                    "message:v2:refused", PARTNER, "UnreadableMessage", link=link, direction="to_fhir"
                )
        else:
            log.taken(link, count)
        log.at = BEGIN + dt.timedelta(weeks=week, hours=12)
        log.add("service:started")  # so that the log covers the hour
    return log.entries
