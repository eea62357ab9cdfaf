"""Where the elements come from that no row of their own resource says.

A field may say something of a resource that another field refers to, or something that follows from several
fields together. What such a field says is found by saying the message again without it; only the fields that
said nothing else are tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ..hl7v2.tree import Message
from .fields import DELETE
from .forward import Forward, to_fhir
from .naming import names_of, v2_place
from .places import Json, same
from .saying import walk

Claims = dict[str, list[tuple[str, str]]]

_FIELD: Final = re.compile(r"(.+?)-(\d+)")
_INDEX: Final = re.compile(r"\[\d+\]")
_MOST: Final = 100  # fields that are tried: each costs a translation


class _Field(NamedTuple):
    """A field that said nothing of its own: its segment's position and label, and its number."""

    position: int
    label: str
    number: int


def claims(said: Forward, found: Claims) -> Claims:
    """The sources of elements that have none yet, by their names; ``found``: those that have."""
    names = names_of(said.assembly.resources)
    missing = dict(_missing(said.assembly.resources, names, found))
    told = dict(_references(said, names, missing, found))
    rest = {element: value for element, value in missing.items() if element not in told}
    if rest and (quiet := list(_quiet(said, found)))[:1]:
        told |= _without(said, quiet[:_MOST], rest)
    return told


def _missing(
    resources: Mapping[str, Json], names: Mapping[str, str], found: Claims
) -> Iterator[tuple[str, Any]]:
    for reference, resource in resources.items():
        for path, value in walk(resource):
            if (element := f"{names[reference]}.{path}") not in found:
                yield element, value


def _references(
    said: Forward, names: Mapping[str, str], missing: Mapping[str, Any], found: Claims
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A reference comes from the segment that speaks of the resource, else from what names it."""
    openers: dict[str, tuple[str, str]] = {}
    for spoken in said.spoken:
        position = min(at for ats in spoken.instance.at.values() for at in ats)
        for reference in filter(None, spoken.references):
            openers.setdefault(reference, (said.plan.labels[position], said.message.segments[position].name))
    for element, reference in missing.items():
        if not element.endswith(".reference") or reference not in names:
            continue
        target = _INDEX.sub("", element)
        if reference in openers:
            label, segment = openers[reference]
            yield element, [(label, f"{segment} -> {target}")]
        elif first := _first_of(names[reference], found):
            location, row = first
            yield element, [(location, f"{row.partition(' -> ')[0]} -> {target}")]


def _first_of(name: str, found: Claims) -> tuple[str, str] | None:
    """The first source of a resource that comes from a place."""
    mine = (claim for element, told in found.items() if element.startswith(f"{name}.") for claim in told)
    return next((claim for claim in mine if claim[0]), None)


def _quiet(said: Forward, found: Claims) -> Iterator[_Field]:
    """The fields that are said, and of which no element comes so far."""
    told = {match[0] for locations in found.values() for at, _ in locations if (match := _FIELD.match(at))}
    told |= {match[0] for at in said.lost if (match := _FIELD.fullmatch(at))}
    for spoken in said.spoken:
        structural = said.units[spoken.instance.unit].declared.structural
        for name, positions in spoken.instance.at.items():
            for position in positions:
                label = said.plan.labels[position]
                silent = told | {at.replace(name, label, 1) for at in structural if at.startswith(f"{name}-")}
                for number, text in enumerate(said.message.segments[position].texts):
                    if number and text not in ("", DELETE) and f"{label}-{number}" not in silent:
                        yield _Field(position, label, number)


def _without(said: Forward, quiet: Iterable[_Field], missing: Mapping[str, Any]) -> Claims:
    """For each element the fields without which it would not be there; of several, what says the least."""
    found: dict[str, list[tuple[int, _Field]]] = {}
    for field in quiet:
        again = dict(_leaves(_said_without(said, field)))
        gone = [element for element, value in missing.items() if not same(again.get(element), value)]
        for element in gone:
            found.setdefault(element, []).append((len(gone), field))
    told: Claims = {}
    for element, fields in found.items():
        least = min(count for count, _ in fields)
        told[element] = [_claim(said, field, element) for count, field in fields if count == least]
    return told


def _said_without(said: Forward, field: _Field) -> Forward:
    message: Message = said.message.copy()
    message.segments[field.position].set(field.number, "")
    return to_fhir(message, said.maps)


def _leaves(said: Forward) -> Iterator[tuple[str, Any]]:
    names = names_of(said.assembly.resources)
    for reference, resource in said.assembly.resources.items():
        for path, value in walk(resource):
            yield f"{names[reference]}.{path}", value


def _claim(said: Forward, field: _Field, element: str) -> tuple[str, str]:
    segment = said.message.segments[field.position].name
    place = v2_place(segment, f"-{field.number}", said.message.version)
    return f"{field.label}-{field.number}", f"{place} -> {_INDEX.sub('', element)}"
