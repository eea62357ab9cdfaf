"""What a submission says: its resources by reference, and what it deletes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InvalidResource
from ..fhir import references
from .assembly import resource_id
from .places import Json, without_empties
from .work import Target

_PATIENT = ("subject", "patient", "beneficiary")


def read(bundle: Json) -> Target:
    """The resources of a bundle, or a single one, under ``Type/id``; whatever way they refer to one another.

    Contained resources stand under ``Practitioner/Encounter-id#name``. A patient that is only named by an
    identifier is one with that identifier. Raises ``InvalidResource``.
    """
    if not isinstance(bundle, dict) or not isinstance(bundle.get("resourceType"), str):
        raise InvalidResource(
            "not a FHIR resource", fix="send a Bundle or a resource", location="resourceType"
        )
    resources: dict[str, Json] = {}
    aliases: dict[str, str] = {}
    deleted: set[str] = set()
    for at, entry in enumerate(_entries(bundle)):
        request = entry.get("request") or {}
        if request.get("method") == "DELETE":
            deleted.add(_relative(str(request.get("url", ""))))
            continue
        resources.update(_apart(entry.get("resource"), at))
        if url := entry.get("fullUrl"):
            aliases[url] = _name(entry["resource"], at)
    known = {name: _with_names(resource, aliases) for name, resource in resources.items()}
    return Target(known | _named_patients(known) | _header(bundle), frozenset(deleted))


def _entries(bundle: Json) -> list[Json]:
    if bundle["resourceType"] != "Bundle":
        return [{"resource": bundle}]
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
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
    name = _name(resource, at)
    inside = [one for one in resource.get("contained", ()) if isinstance(one, dict) and "resourceType" in one]
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


def _named_patients(resources: Mapping[str, Json]) -> dict[str, Json]:
    """Patients that are only named by an identifier; who refers to them does so by reference then."""
    if any(resource["resourceType"] == "Patient" for resource in resources.values()):
        return {}
    found: dict[str, Json] = {}
    for resource in resources.values():
        for name in _PATIENT:
            subject = resource.get(name)
            if isinstance(subject, dict) and (identifier := _identifier(subject)):
                key = "Patient/" + resource_id(f"{identifier.get('system', '')}|{identifier['value']}")
                found[key] = {"resourceType": "Patient", "identifier": [identifier]}
                resource[name] = {**subject, "reference": key}
    return found


def _identifier(subject: Json) -> Json:
    """The identifier of a patient to whom there is no reference."""
    if "reference" in subject or subject.get("type", "Patient") != "Patient":
        return {}
    identifier = subject.get("identifier")
    return identifier if isinstance(identifier, dict) and identifier.get("value") else {}
