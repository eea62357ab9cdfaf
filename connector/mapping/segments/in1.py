"""IN1 <-> Coverage, its payor, its subscriber and its policy holder (guide: IN1[Coverage])."""

from __future__ import annotations

from ..datatypes.coded import Concept
from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.people import (
    ORGANIZATION_ADDRESS,
    ORGANIZATION_CONTACTPOINT,
    XAD_ADDRESS,
    XON_IDENTIFIER,
    XPN_HUMANNAME,
)
from ..datatypes.primitives import End, date, date_time, positive
from ..datatypes.references import identified
from ..fields import Field, One
from ..lens import At, Codec, Item
from ..partner import Partner
from ..places import Comps, Json, comp, includes
from ..scope import Resources
from ..units import Around
from .choosing import Where
from .ft1 import MONEY
from .plan_numbers import PLAN_NUMBERS, FurtherNumbers, FurtherSaid, is_plan, system_name
from .rows import UNKNOWN, V2, absent, coded_in, concept, extension, gender, type_of, value

_SUBSCRIBER_ID = "http://hl7.org/fhir/5.0/StructureDefinition/extension-subscriberId"
_SELF, _INSURED = "SEL", "01"


def withdrawn(_: Partner) -> Codec:
    """ID of table 0206 <-> ``status``: ``D`` takes the coverage back."""
    return Codec({"D": "entered-in-error"}.get, {"entered-in-error": "D"}.get)


def _of_subscriber(comps: Comps) -> bool:
    """CX.5 ``SN``: the insured's own number, not that of the group's organization."""
    return comp(comps, 4) == "SN"


def _a_subscriber(node: Json) -> bool:
    codings = node.get("valueIdentifier", {}).get("type", {}).get("coding") or [{}]
    return node.get("url") == _SUBSCRIBER_ID and codings[0].get("code") == "SN"


def _of_coverage(node: Json, _: Resources) -> bool:
    """Whether a coverage's type is one of IN1-47, and not a plan's (IN1-15)."""
    return coded_in(V2 + "0309")(node.get("type") or {})


def _in_money(cost: Json) -> bool:
    return "valueMoney" in cost


_DEDUCTIBLE = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/coverage-copay-type",
            "code": "deductible",
            "display": "Deductible",
        }
    ]
}
_SUBSCRIBER_TAG = {"url": _SUBSCRIBER_ID}
_OF_GROUP = Where(lambda comps: not _of_subscriber(comps), CX_IDENTIFIER)

IN1_COVERAGE = (
    Field(
        "IN1-2",
        "identifier",
        (Item("1", "value"), Item("3", "system", system_name), FurtherSaid()),
        only=is_plan,
        most=1,
        shared=True,
    ),
    FurtherNumbers("IN1", 2),
    Field("IN1-54", "identifier", CX_IDENTIFIER, rest=True, key=("system",), never=PLAN_NUMBERS),
    value("IN1-8", "class.0.value"),
    value("IN1-9", "class.0.name"),
    value("IN1-12", "period.start", date_time),
    One("IN1-13", "", (End("1", date_time, "period"),)),
    concept("IN1-15", "type", "HL70086", secondary=True),
    concept("IN1-17", "relationship", "HL70063-subscriber", secondary=True),
    value("IN1-22", "order", positive),
    value("IN1-36", "subscriberId"),
    extension("IN1-49", _SUBSCRIBER_ID, "valueIdentifier", *CX_IDENTIFIER),
    Field(
        "IN1-10",
        "extension",
        (Where(_of_subscriber, (At("valueIdentifier", CX_IDENTIFIER),)),),
        tag=_SUBSCRIBER_TAG,
        only=_a_subscriber,
        most=1,
    ),
    Field(
        "IN1-37",
        "costToBeneficiary",
        (At("valueMoney", MONEY),),
        tag={"type": _DEDUCTIBLE},
        only=_in_money,
        most=1,
    ),
    Field("IN1-46", "identifier", (Item("1", "value"),), tag={**type_of("XV"), "use": "old"}, most=1),
    One("IN1-47", "type", (Concept("HL70309"),), secondary=True, first=_of_coverage, shared=True),
    value("IN1-55", "status", withdrawn),
)

IN1_PAYOR = (
    Field("IN1-3", "identifier", CX_IDENTIFIER, rest=True, key=("system",), shared=True),
    value("IN1-4", "name"),
    Field("IN1-4", "identifier", XON_IDENTIFIER, key=("system",), most=1, shared=True),
    Field("IN1-35", "identifier", (Item("1", "value"),), tag=type_of("NIIP"), most=1),
    Field("IN1-5", "address", ORGANIZATION_ADDRESS, key=("use",), shared=True),
    Field("IN1-6", "contact", (At("name", XPN_HUMANNAME),)),
    Field(
        "IN1-7",
        "telecom",
        ORGANIZATION_CONTACTPOINT,
        default={"use": "work"},
        rest=True,
        key=("system",),
        shared=True,
    ),
)

IN1_SUBSCRIBER = (
    Field("IN1-16", "name", XPN_HUMANNAME, key=("use",)),
    value("IN1-18", "birthDate", date),
    Field("IN1-19", "address", XAD_ADDRESS, key=("use",)),
    gender("IN1-43"),
)

IN1_POLICYHOLDER = (
    Field("IN1-10", "identifier", (_OF_GROUP,), rest=True, key=("system",)),
    value("IN1-11", "name"),
    Field("IN1-11", "identifier", XON_IDENTIFIER, key=("system",), most=1),
    Field("IN1-44", "address", ORGANIZATION_ADDRESS, key=("use",)),
)

_GROUP = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}


def complete(node: Json, around: Around) -> None:
    """``class.type`` and ``payor`` are required; who is insured himself is the subscriber."""
    for one in node.get("class", ()):
        one["type"] = dict(_GROUP)
        absent(one, "value")
    if "payor" not in node:
        node["payor"] = [dict(UNKNOWN)]
    if "beneficiary" in node and _himself(around):
        node["subscriber"] = dict(node["beneficiary"])


def subscriber(node: Json, around: Around) -> None:
    """Of a patient who is insured himself, PID speaks; what it does not say of him too stays unsaid."""
    if not _himself(around):
        return
    said = {name: value for name, value in node.items() if name not in ("resourceType", "patient")}
    if includes(around.resource("patient"), said):
        node.clear()
    node.pop("patient", None)


def _himself(around: Around) -> bool:
    """Whether the patient is the insured."""
    related = around.value("IN1-17")
    if related or around.value("IN2-72.3") not in ("", "HL70344"):
        return related == _SELF
    return around.value("IN2-72") == _INSURED


def unnamed(node: Json) -> bool:
    """An organization has a name or an identifier (FHIR R4 invariant org-1)."""
    return not node.keys() & {"name", "identifier"}


def identity(node: Json, around: Around) -> str:
    """Whose coverage, by which plan, under which policy."""
    plan = next((one.get("value", "") for one in node.get("identifier", ()) if is_plan(one)), "")
    payor = (node.get("payor") or [{}])[0].get("reference", "")
    return f"{around.parent('patient')}|{plan}|{payor}|{node.get('subscriberId', '')}"


def organization_identity(node: Json, around: Around) -> str:
    """The organization's identifier, else its name."""
    return identified(node) or f"name|{node.get('name', '')}"


def subscriber_identity(node: Json, around: Around) -> str:
    """Whose insured, by name and birth date."""
    name = (node.get("name") or [{}])[0]
    words = (name.get("family", ""), " ".join(name.get("given", ())), node.get("birthDate", ""))
    return "|".join((around.parent("patient"), "subscriber", *words))
