"""What a submission says: its resources by reference, and what it deletes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InvalidResource
from ..fhir import forms, references
from .assembly import resource_id
from .places import Json, without_empties
from .work import Target

_PATIENT = ("subject", "patient", "beneficiary", "actor")


def read(bundle: Json) -> Target:
    """The resources of a bundle, or a single one, under ``Type/id``; whatever way they refer to one another.

    Contained resources stand under ``Practitioner/Encounter-id#name``. Who is only named by an identifier is
    the resource with that identifier; a patient whom no resource has is one with no more than that. Raises
    ``InvalidResource``.
    """
    if not isinstance(bundle, dict) or not isinstance(bundle.get("resourceType"), str):
        raise InvalidResource(
            "not a FHIR resource", fix="send a Bundle or a resource", location="resourceType"
        )
    forms.check(bundle)
    resources: dict[str, Json] = {}
    aliases: dict[str, str] = {}
    deleted: set[str] = set()
    for at, entry in enumerate(_entries(bundle)):
        request = entry.get("request") or {}
        if request.get("method") == "DELETE":
            deleted.add(_relative(str(request.get("url", ""))))
            continue
        for name, resource in _apart(entry.get("resource"), at):
            if resources.setdefault(name, resource) != resource:
                raise InvalidResource(
                    "another entry has the same type and id",
                    fix="send each resource once",
                    location=f"Bundle.entry[{at}].resource.id",
                )
        if url := entry.get("fullUrl"):
            aliases[url] = _name(entry["resource"], at)
    known = {name: _with_names(resource, aliases) for name, resource in resources.items()}
    return Target(known | _identified(known) | _header(bundle), frozenset(deleted))


def _entries(bundle: Json) -> list[Json]:
    if bundle["resourceType"] != "Bundle":
        return [{"resource": bundle}]
    entries: list[Json] = bundle.get("entry") or []
    if any(entry is None for entry in entries):
        raise InvalidResource("entries that are no objects", location="Bundle.entry")
    return entries


def _header(bundle: Json) -> dict[str, Json]:
    """What the bundle says of itself."""
    said: Json = {name: bundle[name] for name in ("identifier", "timestamp") if name in bundle}
    if bundle["resourceType"] != "Bundle" or not said:
        return {}
    return {"Bundle/this": {"resourceType": "Bundle"} | said}


def _name(resource: Json, at: int) -> str:
    return f"{resource['resourceType']}/{resource.get('id') or f'entry-{at}'}"


def _apart(resource: Any, at: int) -> Iterator[tuple[str, Json]]:
    """A resource, and those that it contains as resources of their own."""
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise InvalidResource("an entry without a resource", location=f"Bundle.entry[{at}].resource")
    if resource["resourceType"] == "Bundle":
        raise InvalidResource("a bundle within a bundle", location=f"Bundle.entry[{at}].resource")
    name = _name(resource, at)
    inside = [one for one in resource.get("contained") or () if one is not None]
    within = name.replace("/", "-")
    names = {f"#{one.get('id', '')}": f"{one['resourceType']}/{within}#{one.get('id', '')}" for one in inside}
    own = {key: value for key, value in resource.items() if key != "contained"}
    yield name, _with_names(without_empties(own), names)
    for one in inside:
        yield names[f"#{one.get('id', '')}"], _with_names(without_empties(one), names | {"#": name})


def _with_names(node: Any, names: Mapping[str, str]) -> Any:
    """References by fullUrl (such as ``urn:uuid:``), by version or to a contained one as ``Type/id``."""
    if isinstance(node, dict):
        said = {name: _with_names(inner, names) for name, inner in node.items()}
        if isinstance(text := said.get("reference"), str):
            said["reference"] = names.get(text) or _relative(text)
        return said
    return [_with_names(inner, names) for inner in node] if isinstance(node, list) else node


def _relative(text: str) -> str:
    """A reference without the version; an absolute one stays as it is, it may be elsewhere."""
    found = references.parse(text)
    return f"{found.type}/{found.id}" if found is not None and found.form == "relative" else text


def _identified(resources: Mapping[str, Json]) -> dict[str, Json]:
    """Who is only named by an identifier gets a reference; the patients that no resource here is."""
    known = {
        (name.partition("/")[0], *_key(identifier)): name
        for name, resource in resources.items()
        for identifier in resource.get("identifier") or ()
        if isinstance(identifier, dict)
    }
    found: dict[str, Json] = {}
    for resource in resources.values():
        for element, pointer in _logical(resource):
            if element == "actor" and "type" not in pointer and not pointer["identifier"].get("system"):
                continue  # anybody and anything may take part
            kinds = [pointer["type"]] if "type" in pointer else [kind for kind, *_ in known]
            key = _key(pointer["identifier"])
            name = next((known[kind, *key] for kind in kinds if (kind, *key) in known), "")
            kind = pointer.get("type", "" if element == "actor" else "Patient")
            if not name and element in _PATIENT and kind == "Patient":
                name = "Patient/" + resource_id("|".join(key))
                found[name] = {"resourceType": "Patient", "identifier": [pointer["identifier"]]}
            if name:
                pointer["reference"] = name
    return found


def _key(identifier: Json) -> tuple[str, str]:
    return str(identifier.get("system", "")), str(identifier.get("value", ""))


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
            yield from _logical(inner, name)


def _is_more(node: Json) -> bool:
    """Whether this is no Reference, or one that says more than an identifier."""
    return bool(node.keys() - {"identifier", "type", "display", "id", "extension"})
