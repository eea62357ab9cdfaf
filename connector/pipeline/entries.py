"""The words in which the cycle tells the audit trail what happened."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.errors import ConnectorError
from connector.pipeline.ports import Clock, Entry, Peer

NAME: Final = 200  # characters of a name, a reason or a client in an entry (audit.fields)
PLACE: Final = 500  # of a subject, a location or a reason of TLS
PATIENTS: Final = 400  # pseudonyms in an entry
ISSUE: Final = 40  # of a code
ROOM: Final = 49_152  # bytes of locations in an entry, which has 65,535 in all
WIDEST: Final = 6  # bytes of a character in JSON: what needs an escape


def instant(at: dt.datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as FHIR ``instant`` asks for it."""
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dtm(at: dt.datetime) -> str:
    """HL7 v2 DTM in UTC with its offset: ``20261123101500+0000``."""
    return at.astimezone(dt.UTC).strftime("%Y%m%d%H%M%S+0000")


def short(text: str, most: int) -> str:
    """A text from outside, cut to what an entry has room for; ``…`` at its end says so."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shown(peer: Peer | None) -> dict[str, str]:
    """What the other end of a connection shows, as fields of an actor; nothing where there is none."""
    if peer is None:
        return {}
    subject = short(peer.subject, PLACE)
    return {"certificate": peer.fingerprint, "subject": subject, "address": peer.address}


def seen(peer: Peer | None) -> dict[str, str]:
    """The other end of a connection, as an actor of whom no more is known."""
    return {"role": "peer", **shown(peer)}


def partner(peer: Peer) -> dict[str, str]:
    """The other end of a connection, as the partner of a link."""
    return {"role": "partner", **shown(peer)}


def client(name: str, peer: Peer | None) -> dict[str, str]:
    """An OAuth client at the other end."""
    return {"role": "client", "client": short(name, NAME), **shown(peer)}


_SELF: Final = {"role": "connector"}


class Trail:
    """Makes the entries of one link and direction; the connector acts unless another ``actor`` is named."""

    def __init__(self, clock: Clock, link: str, direction: str) -> None:
        self._clock, self._link, self._direction = clock, link, direction

    def did(
        self, tag: str, correlation: str = "", *, actor: Mapping[str, Any] | None = None, **what: Any
    ) -> Entry:
        """Something was done."""
        return self._entry(tag, "success", "", correlation, actor, what)

    def refused(
        self,
        tag: str,
        error: ConnectorError,
        correlation: str = "",
        *,
        actor: Mapping[str, Any] | None = None,
        **what: Any,
    ) -> Entry:
        """We said no, or somebody said no to us."""
        return self._entry(tag, "refused", reason(error), correlation, actor, _where(error, what))

    def failed(self, tag: str, error: ConnectorError, correlation: str = "", **what: Any) -> Entry:
        """It did not work."""
        return self._entry(tag, "failure", reason(error), correlation, None, _where(error, what))

    def _entry(
        self,
        tag: str,
        outcome: str,
        why: str,
        correlation: str,
        actor: Mapping[str, Any] | None,
        what: dict[str, Any],
    ) -> Entry:
        target = {"link": self._link, "direction": self._direction, **what}
        return Entry(instant(self._clock()), tag, actor or _SELF, target, outcome, why, correlation)


def whom(patients: Sequence[str]) -> dict[str, Any]:
    """The pseudonyms of the patients of a message, as fields of an entry and of what is kept beside it.

    Where they are more than an entry has room for, the first of them and their number.
    """
    if len(patients) > PATIENTS:
        return {"patient": list(patients[:PATIENTS]), "patients": len(patients)}
    return {"patient": list(patients)} if patients else {}


def about_whom(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The same, out of what is kept beside a message."""
    return {name: meta[name] for name in ("patient", "patients") if name in meta}


def listed(locations: Sequence[str]) -> dict[str, Any]:
    """What was lost, as the fields of an entry: all of it where an entry has room for it.

    Otherwise what comes first, how many there are, and the SHA-256 of all, a line each: the whole list stands
    in the store, beside the message.
    """
    if sum(map(len, locations)) + len(locations) <= ROOM // WIDEST:
        return {"lost": locations}
    kept, room = [], ROOM
    for one in locations:
        room -= len(one) * WIDEST + len('"",')
        if room < 0:
            break
        kept.append(one)
    whole = hashlib.sha256("".join(f"{one}\n" for one in locations).encode("utf-8")).hexdigest()
    return {"lost": kept, "lost_count": len(locations), "lost_sha256": whole}


def reason(error: ConnectorError) -> str:
    """The name of an error: a closed set of words, so it can be counted and holds no value."""
    return type(error).__name__


def _where(error: ConnectorError, what: dict[str, Any]) -> dict[str, Any]:
    """Beside what it was: where, and what the partner answered (a status, an issue code of R4)."""
    said = {name: getattr(error, name, None) for name in ("location", "status", "issue")}
    return what | {name: _bounded(name, value) for name, value in said.items() if value}


def placed(location: str) -> dict[str, str]:
    """Where, as a field of an entry; nothing where that is not known."""
    return {"location": short(location, PLACE)} if location else {}


def _bounded(name: str, value: Any) -> Any:
    most = PLACE if name == "location" else ISSUE
    return short(value, most) if isinstance(value, str) else value
