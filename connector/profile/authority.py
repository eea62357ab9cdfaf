"""The section ``[authority]``: who wins where both sides changed the same thing since they last agreed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from connector.fhir.elements import resource_types, shape
from connector.profile.section import Form, Found, Section, Table, faults, none

Way = Literal["v2", "fhir", "newest", "hold"]
_NEVER: Final = frozenset({"resourceType", "id", "meta"})


def _known(fields: Mapping[str, Way]) -> Mapping[str, Way]:
    if found := [*_unknown(fields)]:
        raise faults(found)
    return fields


def _unknown(fields: Mapping[str, Way]) -> Iterator[Found]:
    for name in fields:
        kind, _, element = name.partition(".")
        known = shape(kind) if kind in resource_types() else None
        if known is None:
            yield Found("FHIR R4 has no such resource type", "write it as the standard does", (name,))
        elif element and element not in {one.path_name for one in known.elements.values()} - _NEVER:
            yield Found(
                f"{kind} has no such element",
                "name one of its own elements, such as Patient.telecom",
                (name,),
            )


Named = Annotated[
    str,
    Form(
        r"[A-Z][A-Za-z]+(\.[a-z][A-Za-z]*)?",
        "a resource type or one of its elements, such as Patient.telecom",
    ),
]
Fields = Annotated[Table[Named, Way], AfterValidator(_known)]


class Authorities(Section):
    """Who wins where both sides changed the same field of a resource since they last agreed on it.

    What loses is kept and can be looked at (`connector conflicts`).
    """

    default: Way = "v2"
    """For every field that is not named: `v2`, `fhir`, `newest` (whose change is the later one), or `hold`
    (the lane waits for a person)."""
    fields: Fields = Field(default_factory=none)
    """By element or by resource type: `"Patient.telecom" = "fhir"`."""
    stale: Literal["flag", "refuse"] = "flag"
    """A v2 update that tells of something older (EVN-2, else MSH-7) than what was told last: it is applied,
    and the audit trail says so (`flag`), or it becomes a dead letter for a person to look at (`refuse`)."""
