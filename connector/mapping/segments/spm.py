"""SPM, and what OBR says of a specimen, <-> Specimen (guide: SPM[Specimen], OBR[Specimen], SPS[...])."""

from __future__ import annotations

from dataclasses import dataclass

from ...hl7v2.tree import Segment
from ..across import Moment, sent
from ..datatypes.coded import Concept, meant
from ..datatypes.entities import GROUP_NUMBERS, EntityPair, NamedThing, names_by_number
from ..datatypes.identifiers import CX_IDENTIFIER, EI_IDENTIFIER
from ..datatypes.primitives import Code, date_time
from ..datatypes.quantities import Amount
from ..datatypes.ranges import DateRange
from ..datatypes.references import identified, practitioner
from ..fields import DELETE, Field, One, write_field
from ..lens import At, Item, Nested
from ..partner import Partner
from ..places import Json, comp
from ..scope import Scope
from ..units import Around
from .containers import CONTAINERS, OwnContainer
from .rows import SD, coded_in, concept, concepts, type_of, value

_ROLE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Specimen.role"
_REJECTED = "http://terminology.hl7.org/CodeSystem/v2-0490"


def _extension(at: str, url: str) -> Field:
    return Field(at, "extension", (At("valueCodeableConcept", (Concept(),)),), tag={"url": url})


SPM_SPECIMEN = (
    One("SPM-2", "", (EntityPair(),)),
    Field(
        "SPM-3",
        "parent",
        (NamedThing("Specimen", GROUP_NUMBERS, points=True),),
        only=names_by_number("Specimen"),
    ),
    concept("SPM-4", "type", "HL70487"),
    OwnContainer(),
    concept("SPM-7", "collection.method", "HL70488"),
    concept("SPM-8", "collection.bodySite"),
    _extension("SPM-11", _ROLE),
    One("SPM-12", "", (Amount("collection.quantity"),)),
    Field("SPM-14", "note", (Item("1", "text"),)),
    _extension("SPM-15", SD + "specimen-specialHandling"),
    One("SPM-17", "", (DateRange("collection.collected"),)),
    value("SPM-18", "receivedTime", date_time),
    value("SPM-20", "status", Code("HL70136-availability")),
    concepts("SPM-21", "condition", "HL70490", prefers=coded_in(_REJECTED)),
    concepts("SPM-24", "condition", "HL70493"),
    One("SPM-30", "accessionIdentifier", CX_IDENTIFIER),
    Field("SPM-31", "identifier", CX_IDENTIFIER, rest=True, key=("system", "type"), never=GROUP_NUMBERS),
    Field("SPM-32", "identifier", EI_IDENTIFIER, tag=type_of("SHIP"), most=1),
    CONTAINERS,
)


@dataclass(frozen=True, slots=True)
class Comments:
    """OBR-39 <-> the notes behind the one that OBR-15 says (guide: CWE[Annotation])."""

    def compile(self, partner: Partner) -> _Comments:
        return _Comments()


class _Comments:
    segment = "OBR"
    numbers = (39,)
    elements = frozenset({"note"})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        unsaid: list[str] = []
        for n, rep in enumerate(sent(segment, 39).split(scope.delimiters.repetition), 1):
            text = scope.unescape(rep) if rep != DELETE else ""
            if text.strip():
                node.setdefault("note", []).append({"text": text})
            elif text:
                unsaid.append(f"39({n})" if n > 1 else "39")
        return unsaid

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        notes, before = (
            [str(one.get("text", "")) for one in node.get("note") or () if isinstance(one, dict)]
            for node in (target, base)
        )
        source = comp(sent(segment, 15).split(scope.component), 2)
        behind = notes[1:] if source and notes[:1] == [scope.unescape(source)] else notes
        if notes != before and (behind or sent(segment, 39)):
            write_field(segment, 39, [scope.escape(text) for text in behind], scope)


OBR_SPECIMEN = (
    Moment("OBR", 7, 8, "collection.collected", date_time),
    One("OBR-9", "", (Amount("collection.quantity"),)),
    One("OBR-10", "", practitioner("collection.collector")),
    value("OBR-14", "receivedTime", date_time),
    One(
        "OBR-15",
        "",
        (
            Nested("1", (At("type", (Concept("HL70487"),)),)),
            Nested("2", (At("container.0.additiveCodeableConcept", (Concept("HL70371"),)),)),
            Item("3", "note.0.text"),
            Nested("4", (At("collection.bodySite", (Concept("HL70163"),)),)),
            Nested("6", (At("condition.0", (Concept("HL70493"),)),)),
        ),
    ),
    Comments(),
)


def identity(node: Json, around: Around) -> str:
    """The specimen's number, else that of the order around it with what kind of specimen it is."""
    known = identified(node) or _accession(node)
    whose = around.parent("order") or f"{around.parent('patient')}|{around.message_key}"
    return known or f"{whose}|{meant(node.get('type'))}"


def _accession(node: Json) -> str:
    number = node.get("accessionIdentifier", {})
    return f"{number.get('system', '')}|{number['value']}" if "value" in number else ""


def order_identity(node: Json, around: Around) -> str:
    """The specimen of an order that says no more of it than what it is: it is known by the order."""
    return f"{around.message_key}|{node['request'][0]['reference']}"


def of_order(specimen: Json) -> bool:
    """Whether OBR says a specimen: it answers a request, and has no number that SPM would say."""
    return "request" in specimen and not specimen.keys() & {"identifier", "accessionIdentifier"}


_NOT_OF_SPECIMEN = {"resourceType", "subject", "request", "collection"}


def nothing_but_time(node: Json) -> bool:
    """Whether OBR speaks of when something was observed, and not of a specimen."""
    said = node.keys() - _NOT_OF_SPECIMEN
    collected = node.get("collection", {}).keys() - {"collectedDateTime", "collectedPeriod"}
    return not said and not collected
