"""Which v2 message a FHIR change becomes: the table ``[events]`` and its defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator

from connector.fhir.elements import resource_types, shape
from connector.profile.section import Form, Found, Table, V2Event, faults

INTERACTIONS: Final = ("create", "update", "delete")
DEFAULTS: Final[Mapping[str, str]] = {
    "Patient.create": "ADT^A28",
    "Patient.update": "ADT^A31",
    "Encounter.create": "ADT^A01",
    "Encounter.finished": "ADT^A03",
    "Encounter.location": "ADT^A02",
    "Encounter.update": "ADT^A08",
    "DiagnosticReport.create": "ORU^R01",
    "DiagnosticReport.update": "ORU^R01",
    "Observation.create": "ORU^R01",
    "Observation.update": "ORU^R01",
}


class EventRule(NamedTuple):
    """One line of the table: when a ``resource`` is changed like this, ``event`` is sent.

    ``on``: ``create``, ``update`` or ``delete``. ``status``: the status that an update brings the resource
    to, "" for any. ``moved``: only where the update changes the visit's location. ``event``: ``ADT^A08``;
    "" sends nothing, and that is meant.
    """

    resource: str
    on: str
    event: str
    status: str = ""
    moved: bool = False


def rules(events: Mapping[str, str]) -> tuple[EventRule, ...]:
    """The rules of a table over the defaults, in the order to try them: the special before the general."""
    found = [_rule(change, event) for change, event in {**DEFAULTS, **events}.items()]
    return tuple(sorted(found, key=lambda one: (not one.status, not one.moved)))


def _rule(change: str, event: str) -> EventRule:
    resource, _, what = change.partition(".")
    if what in INTERACTIONS:
        return EventRule(resource, what, event)
    if what == "location":
        return EventRule(resource, "update", event, moved=True)
    return EventRule(resource, "update", event, status=what)


def _known(events: Mapping[str, str]) -> Mapping[str, str]:
    if found := [*_unknown(events)]:
        raise faults(found)
    return events


def _unknown(events: Mapping[str, str]) -> Iterator[Found]:
    for change in events:
        resource, _, what = change.partition(".")
        if resource not in resource_types():
            yield Found("FHIR R4 has no such resource type", "write it as the standard does", (change,))
        elif what not in (known := _changes(resource)):
            yield Found("there is no such change", f"write one of {', '.join(known)}", (change,))


def _changes(resource: str) -> tuple[str, ...]:
    found = shape(resource)
    status = found.elements.get("status") if found else None
    moves = ("location",) if resource == "Encounter" else ()
    return (*INTERACTIONS, *moves, *sorted(status.codes if status else ()))


Change = Annotated[
    str,
    Form(r"[A-Z][A-Za-z]+\.[a-z][a-z-]*", "a change in quotes, such as Patient.update or Encounter.finished"),
]
Events = Annotated[Table[Change, V2Event], AfterValidator(_known)]
