"""Short forms of the rows that most segments are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..datatypes.coded import Concept, OneCoding
from ..datatypes.kept import Kept
from ..datatypes.primitives import Code
from ..fields import Field, One
from ..lens import At, Binder, Bound, Item, Row, Unsaid, text
from ..partner import Partner, is_oid
from ..places import Comps, Json, comp, copies
from ..scope import Scope
from .choosing import Where

DATA_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
SD = "http://hl7.org/fhir/StructureDefinition/"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


@dataclass(frozen=True, slots=True)
class Constant:
    """Elements that are said with whatever else the node says, such as the ``url`` of an inner extension."""

    says: Mapping[str, Any]

    def compile(self, partner: Partner) -> Bound:
        make = copies(self.says)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            if node:
                node.update(make())
            return None

        return Bound(lambda target, base, comps, scope: None, whole=get, elements=frozenset(self.says))


def value(at: str, path: str, codec: Binder = text) -> One:
    """The first component of a field <-> a primitive element."""
    return One(at, "", (Item("1", path, codec),))


def gender(at: str) -> One:
    """An administrative sex <-> ``gender``; what FHIR does not tell apart stands beside it."""
    row = Kept(Item("1", "gender", Code("HL70001")), "HL70001", under="_gender", unknown=False)
    return One(at, "", (row,))


def concept(at: str, path: str, table: str = "", secondary: bool = False) -> One:
    """A coded field <-> a CodeableConcept."""
    return One(at, path, (Concept(table),), secondary, shared=True)


def concepts(at: str, path: str, table: str = "", prefers: Callable[[Json], bool] | None = None) -> Field:
    """A coded field that repeats <-> a list of CodeableConcepts."""
    return Field(at, path, (Concept(table),), prefers=prefers, shared=True)


def extension(at: str, url: str, value: str, *rows: Row, shared: bool = False) -> Field:
    """A field <-> an extension with a complex value, or with parts of its own (``value`` empty)."""
    held = (At(value, rows),) if value else rows
    return Field(at, "extension", held, tag={"url": url}, most=1, shared=shared)


def extension_value(at: str, url: str, value: str, codec: Binder = text) -> Field:
    """The first component of a field <-> an extension with a primitive value."""
    return Field(at, "extension", (Item("1", value, codec),), tag={"url": url}, most=1)


def coding_extension(at: str, url: str, table: str) -> Field:
    """A coded field <-> an extension with a Coding."""
    return extension(at, url, "valueCoding", OneCoding(table))


def type_of(code: str) -> Mapping[str, Any]:
    """An ``Identifier.type`` of table 0203, as a tag or default."""
    return {"type": {"coding": [{"system": V2 + "0203", "code": code}]}}


def refers_to(kind: str) -> Callable[[Json], bool]:
    """Whether a Reference points to a resource of this kind."""
    return lambda node: str(node.get("reference", "")).startswith(kind + "/")


def refers_by(link: str, kind: str) -> Callable[[Json], bool]:
    """Whether an element refers to a resource of this kind by one of its elements."""
    refers = refers_to(kind)
    return lambda node: refers(node.get(link) or {})


def coded_in(system: str) -> Callable[[Json], bool]:
    """Whether a CodeableConcept has a coding of this system."""
    return lambda node: any(
        isinstance(coding, dict) and coding.get("system") == system for coding in node.get("coding") or ()
    )


def narrower(at: str, path: str, table: str, shared: bool = False) -> Field:
    """A coded field <-> those CodeableConcepts of a list that are coded in the field's own table."""
    rows = (Where(coded_by(table), (Concept(table),)),)
    return Field(at, path, rows, only=coded_in(V2 + table[3:7]), shared=shared)


def coded_by(table: str) -> Callable[[Comps], bool]:
    """Whether a coded value has a plain code of the field's own table."""

    def own(comps: Comps) -> bool:
        named = comp(comps, 2) or (comp(comps, 13) if is_oid(comp(comps, 13)) else "")
        return bool(_SIMPLE.match(comp(comps, 0))) and named in ("", table)

    return own


_SIMPLE = re.compile(r"[\w.:/-]+\Z", re.ASCII)


def absent(node: Json, name: str, reason: str = "unknown") -> None:
    """Say that a required primitive is not known (guide: data-absent-reason)."""
    if name not in node and f"_{name}" not in node:
        node[f"_{name}"] = {"extension": [{"url": DATA_ABSENT, "valueCode": reason}]}


UNKNOWN: Mapping[str, Any] = {"extension": [{"url": DATA_ABSENT, "valueCode": "unknown"}]}
