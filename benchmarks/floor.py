"""The floor: one ADT^A01 to FHIR by straight-line code that does the least it can get away with.

A yardstick, not a model: no escapes, no profile, no way back, no list of what is lost. What the connector
takes for the same message, with all it promises, is reported as a multiple of this.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

Json = dict[str, Any]

_TABLES: Final = "http://terminology.hl7.org/CodeSystem/v2-"
_SYSTEMS: Final = {"LN": "http://loinc.org", "I10": "http://hl7.org/fhir/sid/icd-10"}
_GENDERS: Final = {"F": "female", "M": "male", "O": "other"}
_NAMES: Final = {"L": "official", "M": "maiden", "N": "nickname"}
_USES: Final = {"H": "home", "PRN": "home", "B": "work", "WPN": "work"}
_KINDS: Final = {"CP": "mobile", "PH": "phone", "FX": "fax"}


def to_fhir(message: str) -> Json:
    """A transaction bundle."""
    entries: list[Json] = []
    patient: Json = {}
    for line in message.rstrip("\r").split("\r"):
        fields = line.split("|") + [""] * 50
        make = _MAKERS.get(fields[0])
        if make is None:
            continue
        resource = make(fields)
        if fields[0] == "PID":
            patient = {"reference": _entered(entries, resource, line)}
            continue
        resource["patient" if fields[0] in ("NK1", "AL1") else "subject"] = patient
        _entered(entries, resource, line)
        if fields[0] == "PV1":
            for at in (7, 8, 9, 17):
                if fields[at]:
                    _entered(entries, _practitioner(fields[at]), fields[at])
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _entered(entries: list[Json], resource: Json, seed: str) -> str:
    resource["id"] = blake2b(seed.encode(), digest_size=16).hexdigest()
    url = f"{resource['resourceType']}/{resource['id']}"
    entries.append(
        {"fullUrl": "urn:uuid:" + url, "resource": resource, "request": {"method": "PUT", "url": url}}
    )
    return url


def _patient(fields: list[str]) -> Json:
    patient: Json = {"resourceType": "Patient", "gender": _GENDERS.get(fields[8], "unknown")}
    patient["identifier"] = [_identifier(text) for text in fields[3].split("~")]
    patient["name"] = [_name(text.split("^")) for text in fields[5].split("~")]
    patient["birthDate"] = _time(fields[7])
    patient["address"] = [_address(text) for text in fields[11].split("~")]
    phones = [text for at in (13, 14) for text in fields[at].split("~") if text]
    patient["telecom"] = [_telecom(text) for text in phones]
    if fields[16]:
        patient["maritalStatus"] = _concept(fields[16])
    if fields[30]:
        patient["deceasedBoolean"] = fields[30] == "Y"
    return patient


def _related(fields: list[str]) -> Json:
    return {
        "resourceType": "RelatedPerson",
        "name": [_name(fields[2].split("^"))],
        "relationship": [_concept(fields[3])],
        "address": [_address(fields[4])],
        "telecom": [_telecom(fields[5])],
    }


def _encounter(fields: list[str]) -> Json:
    encounter: Json = {"resourceType": "Encounter", "class": {"code": fields[2]}, "status": "in-progress"}
    encounter["identifier"] = [_identifier(fields[19])]
    encounter["location"] = [{"location": {"display": fields[3].replace("^", " ")}}]
    if fields[44]:
        encounter["period"] = {"start": _time(fields[44])}
    return encounter


def _allergy(fields: list[str]) -> Json:
    allergy: Json = {"resourceType": "AllergyIntolerance", "code": _concept(fields[3])}
    if fields[6]:
        allergy["onsetDateTime"] = _time(fields[6])
    return allergy


def _condition(fields: list[str]) -> Json:
    return {
        "resourceType": "Condition",
        "code": _concept(fields[3]),
        "onsetDateTime": _time(fields[5]),
    }


def _observation(fields: list[str]) -> Json:
    unit = fields[6].split("^")
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": _concept(fields[3]),
        "valueQuantity": {"value": float(fields[5]), "unit": unit[0]},
        "effectiveDateTime": _time(fields[14]),
    }


def _practitioner(text: str) -> Json:
    number, _, rest = text.partition("^")
    name = _name([*rest.split("^")[:5], "", ""])
    return {"resourceType": "Practitioner", "identifier": [{"value": number}], "name": [name]}


def _identifier(text: str) -> Json:
    value, *rest = text.split("^")
    said: Json = {"value": value}
    if len(rest) > 2 and rest[2]:
        authority = rest[2].split("&")
        said["system"] = "urn:oid:" + authority[1] if len(authority) > 1 else authority[0]
    if len(rest) > 3 and rest[3]:
        said["type"] = {"coding": [{"system": _TABLES + "0203", "code": rest[3]}]}
    return said


def _name(parts: list[str]) -> Json:
    parts = parts + [""] * 7
    said: Json = {"family": parts[0], "given": [text for text in parts[1:3] if text]}
    if parts[4]:
        said["prefix"] = [parts[4]]
    if parts[6] in _NAMES:
        said["use"] = _NAMES[parts[6]]
    return said


def _address(text: str) -> Json:
    street, other, city, state, code, country, use = (text.split("^") + [""] * 7)[:7]
    said: Json = {"line": [line for line in (street, other) if line], "city": city}
    for name, value in (("state", state), ("postalCode", code), ("country", country)):
        if value:
            said[name] = value
    if use in _USES:
        said["use"] = _USES[use]
    return said


def _telecom(text: str) -> Json:
    parts = text.split("^") + [""] * 7
    if parts[2] == "Internet":
        return {"system": "email", "value": parts[3]}
    value = parts[0] or " ".join(part for part in parts[4:7] if part)
    said = {"system": _KINDS.get(parts[2], "phone"), "value": value}
    if parts[1] in _USES:
        said["use"] = _USES[parts[1]]
    return said


def _concept(text: str) -> Json:
    code, display, system = [*text.split("^"), "", ""][:3]
    coding = {"code": code}
    if display:
        coding["display"] = display
    if system:
        coding["system"] = _SYSTEMS.get(system) or _TABLES + system
    return {"coding": [coding]}


def _time(text: str) -> str:
    if len(text) == 8:
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    day, hour, zone = text[:8], text[8:14], text[-5:]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{hour[:2]}:{hour[2:4]}:{hour[4:]}{zone[:3]}:{zone[3:]}"


_MAKERS: Final = {
    "PID": _patient,
    "NK1": _related,
    "PV1": _encounter,
    "AL1": _allergy,
    "DG1": _condition,
    "OBX": _observation,
}
