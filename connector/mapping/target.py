"""What a submission says: its resources by reference, and what it deletes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ..errors import InvalidResource
from ..fhir import forms, quick, references
from .assembly import resource_id
from .messages.choosing import named_event
from .places import Json, same, without_empties
from .work import Target

_PATIENT = ("subject", "patient", "beneficiary", "actor")
_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_PLAIN = msgspec.json.Encoder(decimal_format="number")
_THIS = "Bundle/this"


def read(bundle: Json, base: Mapping[str, Json] | None = None) -> Target:
    """The resources of a bundle, or a single one, under ``Type/id``; whatever way they refer to one another.

    ``base``: what the prior message said; a resource that still says the same is that very object.

    Contained resources stand under ``Practitioner/Encounter-id#name``. Who is only named by an identifier is
    the resource with that identifier; a patient whom no resource has is one with no more than that. Raises
    ``InvalidResource``.
    """
    entries = _entries(bundle)
    unchanged = _unchanged(entries, base) if base else {}
    fine = {n for n, one in enumerate(entries) if n not in unchanged and quick.good(one.get("resource"))}
    forms.check(_doubtful(bundle, entries, fine, unchanged))
    seen: set[str] = set()
    resources: dict[str, Json] = {}
    aliases: dict[str, str] = {}
    deleted: set[str] = set()
    for at, entry in enumerate(entries):
        if at in unchanged:
            name, resource = unchanged[at]
            if url := entry.get("fullUrl"):
                aliases[url] = name
            resources[name] = resource
            continue
        request = entry.get("request") or {}
        if request.get("method") == "DELETE":
            deleted.add(_relative(str(request.get("url", ""))))
            continue
        for name, resource in _apart(entry.get("resource"), at, seen, at in fine):
            if resources.setdefault(name, resource) != resource:
                raise InvalidResource(
                    "another entry has the same type and id",
                    fix="send each resource once",
                    location=f"Bundle.entry[{at}].resource.id",
                )
        if url := entry.get("fullUrl"):
            aliases[url] = _name(entry["resource"], at)
    same = {id(resource) for _, resource in unchanged.values()}
    known = resources
    if not seen.isdisjoint(aliases):
        known = {
            name: resource if id(resource) in same else _with_names(resource, aliases, set())
            for name, resource in resources.items()
        }
    return Target(known | _identified(known, same) | _header(bundle), frozenset(deleted))


def _entries(bundle: Json) -> list[Json]:
    if not isinstance(bundle, dict) or not isinstance(bundle.get("resourceType"), str):
        raise InvalidResource(
            "not a FHIR resource", fix="send a Bundle or a resource", location="resourceType"
        )
    if bundle["resourceType"] != "Bundle":
        return [{"resource": bundle}]
    entries: list[Json] = bundle.get("entry") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidResource("entries that are no objects", location="Bundle.entry")
    return entries


def _unchanged(entries: list[Json], base: Mapping[str, Json]) -> dict[int, tuple[str, Json]]:
    """The entries that say of a resource what the prior message said: by position, its name and content."""
    candidates: list[_Candidate] = []
    names: set[str] = set()
    for at, entry in enumerate(entries):
        resource, request = entry.get("resource"), entry.get("request")
        if not isinstance(resource, dict):
            continue
        name = f"{resource.get('resourceType')}/{resource.get('id')}"
        known = base.get(name)
        if known is None or name in names or not isinstance(entry.get("fullUrl", ""), str):
            continue
        if request is None or (isinstance(request, dict) and request.get("method") != "DELETE"):
            candidates.append(_Candidate(at, name, resource, known))
            names.add(name)
    return {one.at: (one.name, one.known) for one in _still(candidates)}


class _Candidate(NamedTuple):
    """An entry at a position, and what the prior message said under its name."""

    at: int
    name: str
    resource: Json
    known: Json


def _still(candidates: list[_Candidate]) -> Iterator[_Candidate]:
    """Those that say what the prior message said; nearly always most of them, so they are asked together."""
    try:
        equal = [one for one in candidates if one.resource == one.known]
        now, before = [one.resource for one in equal], [one.known for one in equal]
        together = _PLAIN.encode(now) == _PLAIN.encode(before)  # 0.40 equals 0.4, and is another number
    except (TypeError, ValueError, RecursionError):
        together = False
    sure = {one.at for one in equal} if together else set[int]()
    for one in candidates:
        if one.at in sure or _alike(one.resource, one.known):
            yield one


def untouched(target: Target, base: Mapping[str, Json]) -> bool:
    """Whether a submission says no more than what the prior message said."""
    changed = [name for name, resource in target.resources.items() if resource is not base.get(name)]
    if not changed or target.deleted:
        return not target.deleted
    header = next((resource for name, resource in base.items() if name.startswith("Bundle/")), {})
    said = {name: value for name, value in header.items() if name != "id"}
    return changed == [_THIS] and same(target.resources[_THIS], said)


def _alike(one: Json, other: Json) -> bool:
    """Whether two resources are the same to the last digit."""
    try:
        return _ENCODER.encode(one) == _ENCODER.encode(other)
    except (TypeError, ValueError, RecursionError):
        return False


def _doubtful(bundle: Json, entries: list[Json], fine: set[int], unchanged: Mapping[int, object]) -> Json:
    """A bundle without what is known to have the form of R4; or a single resource of which it is not known.

    ``fine``: the entries with a resource that has it; ``unchanged``: those that have it as a whole.
    """
    if bundle["resourceType"] != "Bundle":
        return {"resourceType": bundle["resourceType"]} if fine or unchanged else bundle
    shown: list[Json] = []
    for at, entry in enumerate(entries):
        if at in fine:
            shown.append({name: value for name, value in entry.items() if name != "resource"})
        else:
            shown.append({} if at in unchanged else entry)
    return {**bundle, "entry": shown if len(unchanged) < len(entries) else []}


def event_of_header(bundle: Json) -> str:
    """The event of v2 that a bundle's MessageHeader names, before anything else is read of it."""
    headers: dict[str, Json] = {}
    for at, entry in enumerate(_entries(bundle)):
        resource = entry.get("resource")
        if isinstance(resource, dict) and resource.get("resourceType") == "MessageHeader":
            if not quick.good(resource):
                forms.check(resource, f"Bundle.entry[{at}].resource")
            headers[str(at)] = resource
    return named_event(headers)


def _header(bundle: Json) -> dict[str, Json]:
    """What the bundle says of itself."""
    said: Json = {name: bundle[name] for name in ("identifier", "timestamp") if name in bundle}
    if bundle["resourceType"] != "Bundle" or not said:
        return {}
    return {_THIS: {"resourceType": "Bundle"} | said}


def _name(resource: Json, at: int) -> str:
    return f"{resource['resourceType']}/{resource.get('id') or f'entry-{at}'}"


def _apart(resource: Any, at: int, seen: set[str], fine: bool) -> Iterator[tuple[str, Json]]:
    """A resource, and those that it contains as resources of their own. ``seen`` gets what they refer to.

    ``fine``: it holds nothing empty.
    """
    if not isinstance(resource, dict) or not resource.get("resourceType"):
        raise InvalidResource("an entry without a resource", location=f"Bundle.entry[{at}].resource")
    if resource["resourceType"] == "Bundle":
        raise InvalidResource("a bundle within a bundle", location=f"Bundle.entry[{at}].resource")
    name = _name(resource, at)
    inside = [one for one in resource.get("contained") or () if one and one["resourceType"]]
    within = name.replace("/", "-")
    names = {f"#{one.get('id', '')}": f"{one['resourceType']}/{within}#{one.get('id', '')}" for one in inside}
    own = {key: value for key, value in resource.items() if key != "contained"}
    yield name, _with_names(own if fine else without_empties(own), names, seen)
    for one in inside:
        yield names[f"#{one.get('id', '')}"], _with_names(without_empties(one), names | {"#": name}, seen)


def _with_names(node: Any, names: Mapping[str, str], seen: set[str]) -> Any:
    """References by fullUrl (such as ``urn:uuid:``), by version or to a contained one as ``Type/id``.

    ``seen`` gets them all.
    """
    if isinstance(node, dict):
        said = {
            name: _with_names(inner, names, seen) if isinstance(inner, (dict, list)) else inner
            for name, inner in node.items()
        }
        if isinstance(text := said.get("reference"), str):
            said["reference"] = names.get(text) or _relative(text)
            seen.add(said["reference"])
        return said
    return [_with_names(inner, names, seen) for inner in node] if isinstance(node, list) else node


def _relative(text: str) -> str:
    """A reference without the version; an absolute one stays as it is, it may be elsewhere."""
    found = references.parse(text)
    return f"{found.type}/{found.id}" if found is not None and found.form == "relative" else text


_BY_NUMBER: Final = frozenset({"ServiceRequest", "Procedure", "Specimen"})
"""Kinds of which v2 names the parent by its number: ORC-8, OBR-29, PR1-25, SPM-3."""


def _identified(resources: Mapping[str, Json], same: set[int]) -> dict[str, Json]:
    """Who is only named by an identifier gets a reference; the patients that no resource here is.

    What names another of its kind by a number in v2 too keeps that. ``same``: the ``id`` of the resources
    that stay as they are.
    """
    asked = [each for each in resources.items() if id(each[1]) not in same and _may_identify(each[1])]
    pointers = [(own, *one) for own, each in asked for one in _logical(each)]
    if not pointers:
        return {}
    known = {
        (name.partition("/")[0], *_key(identifier)): name
        for name, resource in resources.items()
        for identifier in resource.get("identifier") or ()
        if isinstance(identifier, dict)
    }
    found: dict[str, Json] = {}
    for own, element, pointer in pointers:
        if element == "actor" and "type" not in pointer and not pointer["identifier"].get("system"):
            continue  # anybody and anything may take part
        kinds = [pointer["type"]] if "type" in pointer else [kind for kind, *_ in known]
        key = _key(pointer["identifier"])
        name = next((known[kind, *key] for kind in kinds if (kind, *key) in known), "")
        kind = pointer.get("type", "" if element == "actor" else "Patient")
        if not name and element in _PATIENT and kind == "Patient":
            name = "Patient/" + resource_id("|".join(key))
            found[name] = {"resourceType": "Patient", "identifier": [pointer["identifier"]]}
        there, here = (one.partition("/")[0] for one in (name, own))
        if name and (there != here or here not in _BY_NUMBER):
            pointer["reference"] = name
    return found


def _key(identifier: Json) -> tuple[str, str]:
    return str(identifier.get("system", "")), str(identifier.get("value", ""))


def _may_identify(resource: Json) -> bool:
    """Whether a resource has an identifier that is no list, as only References have."""
    try:
        return b'"identifier":{' in _PLAIN.encode(resource)
    except (TypeError, ValueError, RecursionError):
        return True


def _logical(node: Any, element: str = "") -> Iterator[tuple[str, Json]]:
    """Every Reference that has an identifier and no reference, with the element it stands at."""
    if isinstance(node, list):
        for inner in node:
            yield from _logical(inner, element)
    elif isinstance(node, dict):
        identifier = node.get("identifier")
        if isinstance(identifier, dict) and identifier.get("value") and not _is_more(node):
            yield element, node
        for name, inner in node.items():
            if isinstance(inner, (dict, list)):
                yield from _logical(inner, name)


def _is_more(node: Json) -> bool:
    """Whether this is no Reference, or one that says more than an identifier."""
    return bool(node.keys() - {"identifier", "type", "display", "id", "extension"})
