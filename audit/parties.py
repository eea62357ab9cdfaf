"""Who and what an entry speaks of, as both forms of an audit event name them.

Everything has an identifier in a system of this log: ``urn:x-audit:<what>:<site>``, since a pseudonym, the
name of a link or the number of a row mean something at one site alone. Nothing here is about a patient but
the pseudonyms that the entry holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from audit.canonical import canonical
from audit.events import EVENTS, Event, Party
from audit.merkle import leaf_hash

MACHINE, IP = "1", "2"  # NetworkAccessPointTypeCode, and AuditEvent.agent.network.type
LISTED: Final = 200  # characters of a list that are said in an event; the entry has it all
_PERSONAL: Final = frozenset(
    tag for tag, row in EVENTS.items() if any(one.party is Party.PERSON for one in row.shape)
)
_NUMERIC: Final = frozenset("0123456789.")
_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF:.")


class Source(NamedTuple):
    """Who reports. ``site``: the organisation; ``host``: where the application runs."""

    site: str
    host: str


class Named(NamedTuple):
    """Somebody or something by its identifier. ``address``: of its end of the connection, or ""."""

    system: str
    id: str
    name: str = ""
    alternative: str = ""
    address: str = ""


class Systems(NamedTuple):
    """The identifier systems of a site."""

    host: str
    site: str
    link: str
    client: str
    certificate: str
    person: str
    address: str
    patient: str
    entry: str
    subject: str  # the name of the subject and ":" come before the site


@lru_cache(maxsize=16)
def systems(source: Source) -> Systems:
    """The identifier systems of a site."""
    of = quote(source.site, safe="")
    return Systems(*(f"urn:x-audit:{what}:{of}" for what in Systems._fields))


def party(which: Party, entry: Mapping[str, Any], source: Source) -> Named:
    """Who that is in this entry; where it is not known, what is known of its connection."""
    if which is Party.SELF:
        return Named(systems(source).host, source.host, address=source.host)
    if which is Party.SITE:
        return Named(systems(source).site, source.site)
    if which is Party.PERSON:
        return _person(entry["actor"], source)
    return _peer(entry, source)


def _person(actor: Mapping[str, Any], source: Source) -> Named:
    name = actor.get("name")
    if actor.get("role") == "connector":  # by itself, where a person may do it as well
        return party(Party.SELF, {}, source)
    if name is None:
        return _end(actor, source)
    system = f"{systems(source).person}:{quote(actor.get('realm', ''), safe='')}"
    return Named(system, name, address=_host(actor.get("address", "")) or source.host)


def _peer(entry: Mapping[str, Any], source: Source) -> Named:
    actor, link = entry["actor"], entry["object"].get("link")
    if actor.get("role") == "connector":  # we went to them
        return Named(systems(source).link, link or "unknown")
    if actor.get("role") == "operator" and entry["tag"] not in _PERSONAL:  # in the place of the other end
        return _person(actor, source)
    if "name" in actor and not {"client", "certificate", "address"} & actor.keys():
        return Named(systems(source).host, source.host, address=source.host)  # at our own console
    return _end(actor, source)


def _end(actor: Mapping[str, Any], source: Source) -> Named:
    """The other end of a connection, by what says most about it."""
    known, address = systems(source), _host(actor.get("address", ""))
    certificate, subject = actor.get("certificate", ""), actor.get("subject", "")
    if client := actor.get("client"):
        return Named(known.client, client, subject, certificate, address)
    if certificate:
        return Named(known.certificate, certificate, subject, "", address)
    return Named(known.address, address or "unknown", subject, "", address)


def _host(address: str) -> str:
    """``host:port`` and ``[host]:port`` without the port."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, colon, port = address.rpartition(":")
    return host if colon and port.isdecimal() and ":" not in host else address


def network_type(address: str) -> str:
    """Of an address that is not ""."""
    letters = frozenset(address.partition("%")[0])  # without the zone (RFC 4007)
    return IP if letters <= _NUMERIC or (":" in letters and letters <= _HEXADECIMAL) else MACHINE


def patients(entry: Mapping[str, Any]) -> Sequence[str]:
    """The pseudonyms of the patients that the entry is about."""
    said: Sequence[str] = entry["object"].get("patient", ())
    return said


def subject(row: Event, entry: Mapping[str, Any], source: Source) -> Named:
    """What it was done to: a message by its correlation, another thing by the first field that it has."""
    what, name = entry["object"], row.subject.name
    system = f"{systems(source).subject}:{name}"
    if name == "message" and entry["correlation"]:
        return Named(system, entry["correlation"])
    for field in row.subject.fields:
        if found := what.get(field):
            return Named(system, said(found))
    return Named(system, name)


def said(value: Any) -> str:
    """A value of an entry as text, never empty but for the empty text; of a long list only its length."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        text = ", ".join(map(said, value)) if value else "(none)"
        return text if 0 < len(text) <= LISTED else f"{len(value)} listed"
    return str(int(value)) if isinstance(value, int | float) and value == int(value) else str(value)


def details(entry: Mapping[str, Any], leaf: bytes) -> Iterator[tuple[str, str]]:
    """What leads from an event back to its entry, and what else the entry says, as pairs of text.

    Not the patients: they are objects of their own, and an event about one says nothing of another.
    """
    yield "sequence", said(entry["seq"])
    yield "leaf-hash", leaf.hex()
    yield "tag", entry["tag"]
    for name in ("reason", "correlation", "uncertainty"):
        if (value := entry.get(name)) not in ("", None):
            yield name, said(value)
    for part in ("actor", "object"):
        for name, value in entry[part].items():
            if value not in ("", None) and name != "patient":
                yield f"{part}.{name}", said(value)


def leaf_of(entry: Mapping[str, Any], written: bytes | None) -> bytes:
    """The hash of the entry as a leaf of the tree; ``written``: its bytes, where they are at hand."""
    return leaf_hash(canonical(entry) if written is None else written)


def emergency(entry: Mapping[str, Any]) -> bool:
    """Whether it was done over broken glass, or was the breaking of it."""
    return bool(entry["actor"].get("emergency")) or entry["tag"].startswith("access:emergency:")


def query(entry: Mapping[str, Any]) -> bytes:
    """What was asked, without a value: the kind of identifier, and the pseudonym of the one looked for."""
    what = entry["object"]
    asked = ((name, what.get(name)) for name in ("kind", "pseudonym"))
    return ("find?" + "&".join(f"{name}={quote(value)}" for name, value in asked if value)).encode("ascii")
