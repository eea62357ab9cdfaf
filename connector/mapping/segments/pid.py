"""PID <-> Patient and Account (guide: PID[Patient], PID[Account])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..across import Indicator
from ..assembly import canonical
from ..datatypes.coded import Concept
from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.people import XAD_ADDRESS, XPN_HUMANNAME, XTN_CONTACTPOINT
from ..datatypes.primitives import date, date_time, positive
from ..datatypes.references import identified
from ..emit import Leaf
from ..fields import Field, One
from ..lens import At, Bound, Item, Nested
from ..partner import Partner
from ..places import Comps, Json, same, write_comp
from ..scope import Scope
from ..units import Around
from .heritage import ETHNICITY, RACE
from .rows import SD, Constant, concept, extension, gender, type_of
from .together import Together

SSN = {"system": "http://hl7.org/fhir/sid/us-ssn", **type_of("SS")}
_RANKS: Final = {"MR": 0, "PI": 1, "PT": 2}
_BIRTH_TIME = SD + "patient-birthTime"


@dataclass(frozen=True, slots=True)
class BirthDate:
    """DTM <-> ``birthDate``, and the time of birth in its extension patient-birthTime."""

    def compile(self, partner: Partner) -> Bound:
        day, moment = date(partner), date_time(partner)

        def get(sent: str, node: Json) -> bool:
            said = day.to_fhir(sent)
            if said is None:
                return False
            node["birthDate"] = said
            if len(sent) <= 8:
                return True
            time = moment.to_fhir(sent)
            if time is None or not time.startswith(said):
                return False
            node["_birthDate"] = {"extension": [{"url": _BIRTH_TIME, "valueDateTime": time}]}
            return True

        elements = frozenset({"birthDate", "_birthDate"})
        marks = (("_birthDate.extension", {"url": _BIRTH_TIME}),)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            names = ("birthDate", "_birthDate")
            if all(same(target.get(name), base.get(name)) for name in names):
                return
            time = next(
                (
                    one.get("valueDateTime")
                    for one in (target.get("_birthDate") or {}).get("extension", ())
                    if one.get("url") == _BIRTH_TIME
                ),
                None,
            )
            said = target.get("birthDate")
            whole = isinstance(said, str) and isinstance(time, str) and time.startswith(said)
            text = moment.to_v2(time) if whole else day.to_v2(said) if isinstance(said, str) else ""
            write_comp(comps, 0, text or "")

        return Bound(put, leaves={0: Leaf(get)}, elements=elements, marks=marks)


def _country(at: str, url: str) -> Field:
    """An extension whose code stands in an extension of its own (citizenship, nationality)."""
    inner = At("extension.0", (At("valueCodeableConcept", (Concept(),)), Constant({"url": "code"})))
    return Field(at, "extension", (inner,), tag={"url": url})


def _a_county(address: Json) -> bool:
    return address.keys() == {"district"}


PID_PATIENT = (
    Field("PID-3", "identifier", CX_IDENTIFIER, rest=True, key=("system", "type")),
    Field("PID-2", "identifier", CX_IDENTIFIER, most=1, key=("system",)),
    Field("PID-4", "identifier", CX_IDENTIFIER, key=("system",)),
    Field("PID-5", "name", XPN_HUMANNAME, rest=True, key=("use",)),
    extension("PID-6", SD + "patient-mothersMaidenName", "", Nested("1", (Item("1", "valueString"),))),
    One("PID-7", "", (BirthDate(),)),
    gender("PID-8"),
    Field("PID-9", "name", XPN_HUMANNAME, key=("use",)),
    Field("PID-11", "address", XAD_ADDRESS, rest=True, key=("use", "type")),
    Field("PID-12", "address", (Item("1", "district"),), only=_a_county, most=1),
    Field("PID-13", "telecom", XTN_CONTACTPOINT, default={"use": "home"}, rest=True, key=("system", "use")),
    Field("PID-14", "telecom", XTN_CONTACTPOINT, default={"use": "work"}, key=("system", "use")),
    Field("PID-40", "telecom", XTN_CONTACTPOINT, key=("system", "use")),
    Field("PID-15", "communication", (At("language", (Concept("HL70296"),)),), most=1, shared=True),
    concept("PID-16", "maritalStatus", "HL70002"),
    extension("PID-17", SD + "patient-religion", "valueCodeableConcept", Concept("HL70006"), shared=True),
    Field("PID-19", "identifier", (Item("1", "value"),), tag=SSN, most=1),
    Field(
        "PID-20",
        "identifier",
        (Item("1", "value"), Item("2", "assigner.display"), Item("3", "period.end", date)),
        tag=type_of("DL"),
        most=1,
    ),
    extension("PID-23", SD + "patient-birthPlace", "valueAddress", Item("1", "text")),
    Indicator("PID", 24, 25, "multipleBirthBoolean", "multipleBirthInteger", positive),
    _country("PID-26", SD + "patient-citizenship"),
    _country("PID-39", SD + "patient-citizenship"),
    extension(
        "PID-28",
        SD + "patient-nationality",
        "extension.0",
        At("valueCodeableConcept", (Concept(),)),
        Constant({"url": "code"}),
    ),
    Indicator("PID", 30, 29, "deceasedBoolean", "deceasedDateTime", date_time),
    RACE,
    ETHNICITY,
    Together(
        "PID",
        SD + "patient-animal",
        (
            (35, "species", "valueCodeableConcept", (Concept(),)),
            (36, "breed", "valueCodeableConcept", (Concept(),)),
        ),
    ),
)

PID_ACCOUNT = (Field("PID-18", "identifier", CX_IDENTIFIER),)

_MOTHER = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH", "display": "mother"}
    ]
}
PID_MOTHER = (Field("PID-21", "identifier", CX_IDENTIFIER),)
MOTHER = {"relationship": [_MOTHER]}


def is_mother(node: Json) -> bool:
    """A mother of whom only identifiers are known; one with a name is next of kin (NK1)."""
    others = node.keys() - {"resourceType", "id", "meta", "patient", "identifier", "relationship"}
    return not others and "identifier" in node and node.get("relationship") == [_MOTHER]


def mother_identity(node: Json, around: Around) -> str:
    """Whose mother, and her identifier."""
    return f"mother|{identified(node)}"


def identity(node: Json, around: Around) -> str:
    """The patient's medical record number, else internal, else external, else first identifier.

    Without one, the message. Where the message has no name of its own either, all that is said of
    the patient: two who are not told apart by anything else must not become one.
    """
    named = [one for one in node.get("identifier", ()) if one.get("value")]
    if named:
        first = min(named, key=_rank)
        return f"{first.get('system', '')}|{first['value']}"
    return f"message|{around.message_key or canonical(node)}"


def _rank(identifier: Json) -> int:
    codings = identifier.get("type", {}).get("coding") or [{}]
    return _RANKS.get(str(codings[0].get("code", "")), len(_RANKS))
