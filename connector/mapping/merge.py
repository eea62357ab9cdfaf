"""To FHIR over what stands there: an update never erases what v2 did not say.

Absent means unchanged, ``""`` means removed (HL7 v2.5.1 ch. 2.5.3), and a field that repeats says the
whole of its list, but only of those elements it would claim on the way back.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ..hl7v2.tree import Message
from .compiled import Maps, Slot
from .fields import BoundField, BoundOne
from .forward import Forward, Spoken
from .places import Json, includes, place, same
from .units import Attached, ResourceMap

_CONSTANT = ("resourceType", "id")


def over_prior(said: Forward, maps: Maps, prior: Mapping[str, Json]) -> dict[str, Json]:
    """The resources of a translation, each over its prior one."""
    merged: dict[str, Json] = {}
    spoken_of = {
        reference: (spoken, slot)
        for spoken in said.spoken
        for reference, slot in zip(spoken.references, maps.units[spoken.instance.unit].slots)
        if reference
    }
    for reference, resource in said.assembly.resources.items():
        before = prior.get(reference)
        if before is None:
            merged[reference] = resource
        elif reference in spoken_of:
            merged[reference] = _unit(said.message, resource, before, *spoken_of[reference])
        else:
            merged[reference] = _referred(resource, before)
    return merged


def _unit(message: Message, resource: Json, before: Json, spoken: Spoken, slot: Slot) -> Json:
    """A resource that segments speak of: what their valued and deleted fields own is taken out first."""
    result = deepcopy(before)
    touched = spoken.fields(message, deleted=False) | spoken.fields(message, deleted=True)
    lists: dict[str, list[BoundField]] = {}
    for bound in slot.fields:
        if isinstance(bound, BoundField):
            lists.setdefault(bound.declared.path, []).append(bound)
        elif (bound.segment, bound.number) in touched:
            _take_out(bound, result)
    for across in slot.across:
        if any((across.segment, number) in touched for number in across.numbers):
            for name in [name for name in result if name.startswith(across.owns)]:
                del result[name]
    kept = {path: _kept(fields, result, resource, touched) for path, fields in lists.items()}
    overlaid = _overlay(result, resource, slot)
    for path, elements in kept.items():
        reader, writer = place(path)
        if elements:
            writer(overlaid, elements)
        elif reader(overlaid) is not None:
            _remove(overlaid, path)
    return overlaid


def _take_out(bound: BoundOne, result: Json) -> None:
    path = bound.declared.path
    if path:
        _remove(result, path)
        return
    for element in bound.lens.elements:
        _remove(result, element)


def _remove(node: Any, path: str) -> None:
    """Take out the element at a path, and what is empty without it."""
    name, _, rest = path.partition(".")
    key: Any = int(name) if name.isdigit() else name
    try:
        inner = node[key]
    except (KeyError, IndexError, TypeError):
        return
    if rest:
        _remove(inner, rest)
    if not rest or inner in ({}, []):
        del node[key]


def _kept(
    fields: list[BoundField], result: Json, resource: Json, touched: set[tuple[str, int]]
) -> list[Json]:
    """A list's elements: the prior ones that no valued or deleted field claims, and those that were said."""
    reader = fields[0].reader
    before, now = reader(result), reader(resource)
    prior = [element for element in before or () if isinstance(element, dict)]
    silent: list[Json] = []
    claimed: list[Json] = []
    for element in prior:
        strength, at = max((each.claims(element), -n) for n, each in enumerate(fields))
        owner = fields[-at]
        (claimed if strength and (owner.segment, owner.number) in touched else silent).append(element)
    return _said(list(now or ()), claimed, silent, fields)


def _said(now: list[Json], claimed: list[Json], silent: list[Json], fields: list[BoundField]) -> list[Json]:
    elements: list[Json] = []
    for element in now:
        like = _like(element, claimed, fields)
        if like is not None:
            claimed.remove(like)
            elements.append({**_beyond(like, fields), **element})
        else:
            elements.append(element)
    return elements + [
        one for one in silent if not any(includes(one, e) or includes(e, one) for e in elements)
    ]


def _like(element: Json, claimed: list[Json], fields: list[BoundField]) -> Json | None:
    """The prior element that says the same, else the one with the same key."""
    for one in claimed:
        if includes(one, element):
            return one
    for each in fields:
        if each.key and each.claims(element):
            mark = [reader(element) for reader in each.key]
            for one in claimed:
                if all(same(reader(one), value) for reader, value in zip(each.key, mark)):
                    return one
    return None


def _beyond(element: Json, fields: list[BoundField]) -> Json:
    """What of an element no v2 component can say."""
    owned = {name.partition(".")[0] for each in fields for name in each.lens.elements}
    owned |= {name for each in fields for name in (*each.declared.tag, *each.declared.default)}
    return {name: value for name, value in element.items() if name not in owned}


def _overlay(result: Json, resource: Json, slot: Slot) -> Json:
    declared = slot.declared
    default = declared.default if isinstance(declared, ResourceMap) else {}
    for name, value in resource.items():
        if name in result and name in default and same(value, default[name]):
            continue
        if name in result and isinstance(declared, ResourceMap) and name in declared.keep:
            continue
        result[name] = _deep(result.get(name), value)
    return result


def _deep(before: Any, now: Any) -> Any:
    if isinstance(before, dict) and isinstance(now, dict) and "reference" not in now:
        return {**before, **{name: _deep(before.get(name), value) for name, value in now.items()}}
    if isinstance(before, list) and isinstance(now, list) and all(isinstance(one, dict) for one in now):
        return [*now, *(one for one in before if not any(_alike(one, other) for other in now))]
    return now


def _alike(one: Any, other: Any) -> bool:
    """Whether two elements of a list stand for the same thing: one says all the other says, or they refer alike."""
    if includes(one, other) or includes(other, one):
        return True
    links = [value for value in one.values() if isinstance(value, dict) and "reference" in value]
    return bool(links) and any(value in other.values() for value in links)


def _referred(resource: Json, before: Json) -> Json:
    """A person, organization or place: what the reference said over what is known."""
    result = deepcopy(before)
    for name, value in resource.items():
        if name in _CONSTANT:
            continue
        result[name] = _deep(result.get(name), value) if name == "identifier" else value
    return result


__all__ = ["Attached", "over_prior"]
