"""PR1 <-> Procedure (guide: PR1[Procedure])."""

from __future__ import annotations

from ..datatypes.coded import meant
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.primitives import date_time
from ..datatypes.references import Place, identified, practitioner
from ..fields import Field, One
from ..lens import Item
from ..places import Json
from ..units import Around
from .rows import PARTICIPATION, concept, concepts, value


def _performer(at: str, code: str, display: str) -> Field:
    function = {"coding": [{"system": PARTICIPATION, "code": code, "display": display}]}
    return Field(at, "performer", practitioner("actor"), tag={"function": function})


PR1_PROCEDURE = (
    concept("PR1-3", "code"),
    One("PR1-4", "", (Item("1", "code.text", agrees=True),)),
    value("PR1-5", "performedDateTime", date_time),
    concept("PR1-6", "category", "HL70230"),
    _performer("PR1-8", "SPRF", "secondary performer"),
    _performer("PR1-11", "PPRF", "primary performer"),
    Field("PR1-12", "performer", practitioner("actor")),
    concepts("PR1-15", "reasonCode"),
    Field("PR1-19", "identifier", EI_IDENTIFIER),
    One("PR1-23", "", (Place("location"),)),
)


def identity(node: Json, around: Around) -> str:
    """The procedure identifier (PR1-19), else whose visit, which code and when."""
    if known := identified(node):
        return known
    what = meant(node.get("code"))
    whose = around.parent("visit") or around.parent("patient")
    return f"{whose}|{what}|{node.get('performedDateTime', '')}"
