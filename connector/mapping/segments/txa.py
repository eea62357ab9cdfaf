"""TXA <-> DocumentReference and its Provenance (guide: TXA[DocumentReference], TXA[Provenance])."""

from __future__ import annotations

from typing import Any, Final

from ..datatypes.coded import Concept, meant
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.kept import Kept
from ..datatypes.primitives import Code, date, date_time, instant
from ..datatypes.references import practitioner
from ..fields import Field, One
from ..lens import At, Codec, Item
from ..partner import Partner
from ..places import Json, includes
from ..units import Around
from .echo import Echo
from .rows import (
    DATA_ABSENT,
    PARTICIPATION,
    UNKNOWN,
    Constant,
    absent,
    concept,
    extension_value,
    type_of,
    value,
)

_DAY: Final = "http://hl7.org/fhir/6.0/StructureDefinition/extension-date"


def _day(partner: Partner) -> Codec:
    """A DTM without a time <-> date."""
    whole, moment = date(partner), instant(partner)
    return Codec(lambda sent: None if moment.to_fhir(sent) else whole.to_fhir(sent), whole.to_v2)


def _role(code: str) -> Json:
    return {"role": [{"coding": [{"system": PARTICIPATION, "code": code}]}]}


_AUTHOR, _COPY = _role("AUT"), _role("IRCP")


def _order(at: str, kind: str) -> Field:
    """An order's number <-> a reference to it by that number."""
    typed = type_of(kind)

    def mine(reference: Json) -> bool:
        return includes(reference.get("identifier"), typed)

    rows = (At("identifier", (*EI_IDENTIFIER, Constant(typed))),)
    return Field(at, "context.related", rows, only=mine, key=("identifier",))


TXA_DOCUMENTREFERENCE = (
    concept("TXA-2", "type", "HL70270"),
    value("TXA-4", "context.period.start", date_time),
    value("TXA-6", "date", instant),
    extension_value("TXA-6", _DAY, "valueDate", _day),
    Field("TXA-9", "author", practitioner("")),
    One("TXA-10", "", practitioner("authenticator")),
    One("TXA-12", "masterIdentifier", EI_IDENTIFIER),
    Field("TXA-13", "relatesTo", (At("target.identifier", EI_IDENTIFIER),), most=1),
    _order("TXA-14", "PLAC"),
    _order("TXA-15", "FILL"),
    Field("TXA-16", "identifier", (Item("1", "value"),), most=1),
    One("TXA-17", "", (Kept(Item("1", "docStatus", Code("HL70271")), "HL70271", under="_docStatus"),)),
    Field("TXA-18", "securityLabel", (Concept("HL70272"),), most=1),
    One("TXA-19", "", (Kept(Item("1", "status", Code("HL70273")), "HL70273", under="_status"),)),
    value("TXA-25", "description"),
    concept("TXA-28", "context.practiceSetting"),
)


def _is_kind(content: Json) -> bool:
    """Whether all that is said of a content is of what kind it is."""
    return (content.get("attachment") or {}).keys() - {"_contentType"} == {"contentType"}


_PRESENTATION = Kept(Item("1", "contentType", Code("HL70191")), "HL70191", "_contentType", unknown=False)
TXA_ALONE = (
    *TXA_DOCUMENTREFERENCE,
    Field(
        "TXA-3",
        "content",
        (At("attachment", (_PRESENTATION,)),),
        only=_is_kind,
        most=1,
    ),
)
"""A notification without the document: the kind of its content is all that is known of it."""

TXA_PROVENANCE = (
    value("TXA-8", "recorded", instant),
    Echo(Field("TXA-9", "agent", practitioner("who"), tag=_AUTHOR)),
    Field("TXA-21", "reason", (Item("1", "text"),), most=1),
    Field("TXA-23", "agent", practitioner("who"), tag=_COPY),
)

_RELATES: Final = {"T05": "appends", "T06": "appends", "T09": "replaces", "T10": "replaces"}
_ABSENT: Final[Any] = {"extension": [{"url": DATA_ABSENT, "valueCode": "unknown"}]}


def complete(node: Json, around: Around) -> None:
    """Whether a document holds, and what it is to its parent, follow from the event; content may come yet."""
    event = around.value("MSH-9.2")
    if "status" not in node:
        node["status"] = "entered-in-error" if event == "T11" else "current"
    for one in node.get("relatesTo", ()):
        if event in _RELATES:
            one["code"] = _RELATES[event]
        else:
            absent(one, "code")
    node.setdefault("content", [{"attachment": dict(_ABSENT)}])


def assumes(node: Json, around: Around) -> tuple[str, ...]:
    """Without TXA-19 only the cancellation decides whether a document holds."""
    return () if around.value("TXA-19") or around.value("MSH-9.2") == "T11" else ("status",)


def identity(node: Json, around: Around) -> str:
    """The document's number, else whose, which and when, else the message."""
    master = node.get("masterIdentifier", {})
    if master.get("value"):
        return f"{master.get('system', '')}|{master['value']}"
    when = node.get("date") or around.message_key
    return f"{around.parent('patient')}|{meant(node.get('type'))}|{when}"


def complete_provenance(node: Json, around: Around) -> None:
    """``recorded`` and ``agent`` are required."""
    absent(node, "recorded")
    node.setdefault("agent", [{"who": dict(UNKNOWN)}])


def unless(node: Json) -> bool:
    """Who wrote a document is said there; a Provenance tells of an edit, its reason and who was told."""
    agents = node.get("agent", ())
    told = any(one.get("role") == _COPY["role"] for one in agents)
    return not told and "recorded" not in node and "reason" not in node
