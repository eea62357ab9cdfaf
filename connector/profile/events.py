"""The table ``[events]``: which v2 message a FHIR change becomes, row by row over the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator

from connector.fhir.elements import resource_types
from connector.mapping.messages.aspects import KINDS
from connector.mapping.messages.changes import happenings, may_happen, split
from connector.profile.section import Form, Found, Table, V2Event, faults


def _known(events: Mapping[str, str]) -> Mapping[str, str]:
    if found := [*_unknown(events)]:
        raise faults(found)
    return events


def _unknown(events: Mapping[str, str]) -> Iterator[Found]:
    for change in events:
        resource, what, kind = split(change)
        kinds = KINDS.get(resource, {})
        if resource not in resource_types():
            yield Found("FHIR R4 has no such resource type", "write it as the standard does", (change,))
        elif not may_happen(resource, what):
            fix = f"write one of {', '.join(happenings(resource))}"
            yield Found("there is no such change", fix, (change,))
        elif kind and kind not in kinds:
            fix = f"write one of {', '.join(kinds)}" if kinds else "leave it out"
            yield Found("there is no such kind of it", fix, (change,))


Change = Annotated[
    str,
    Form(
        r"[A-Z][A-Za-z]+\.[a-z][a-z-]*(>[a-z][a-z-]*)?(\.[a-z]+)?",
        "a change in quotes, such as Patient.update, Encounter.finished or Encounter.create.emergency",
    ),
]
Events = Annotated[Table[Change, V2Event], AfterValidator(_known)]
