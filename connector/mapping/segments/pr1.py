"""PR1 <-> Procedure (guide: PR1[Procedure])."""

from __future__ import annotations

from ..datatypes.coded import meant
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.references import Place, identified, practitioner
from ..fields import Field, One
from ..lens import At, Codec, Item
from ..partner import Partner
from ..places import Json
from ..units import Around
from .lasting import Lasting
from .modified import Modified
from .rows import Constant, concept, concepts, refers_by, value


def _performer(at: str, code: str) -> Field:
    function = {"coding": [{"system": "http://snomed.info/sct", "code": code}]}
    person = refers_by("actor", "Practitioner")
    return Field(at, "performer", practitioner("actor"), tag={"function": function}, only=person)


def withdrawn(_: Partner) -> Codec:
    """ID of table 0206 <-> ``status``: ``D`` takes the procedure back."""
    return Codec({"D": "entered-in-error"}.get, {"entered-in-error": "D"}.get)


def _by_name(reference: Json) -> bool:
    """A Reference that names a resource by its identifier."""
    return "identifier" in reference


PR1_PROCEDURE = (
    concept("PR1-3", "code"),
    One("PR1-4", "", (Item("1", "code.text", agrees=True),)),
    Lasting("PR1", 5, 7, "performed"),
    Modified("PR1", 3, 16, "code"),
    concept("PR1-6", "category", "HL70230"),
    _performer("PR1-8", "88189002"),
    _performer("PR1-11", "304292004"),
    Field("PR1-12", "performer", practitioner("actor"), only=refers_by("actor", "Practitioner")),
    concepts("PR1-15", "reasonCode"),
    Field("PR1-19", "identifier", EI_IDENTIFIER),
    value("PR1-20", "status", withdrawn),
    Field(
        "PR1-25",
        "partOf",
        (At("identifier", EI_IDENTIFIER), Constant({"type": "Procedure"})),
        only=_by_name,
        most=1,
    ),
    One("PR1-23", "", (Place("location"),)),
)


def identity(node: Json, around: Around) -> str:
    """The procedure identifier (PR1-19), else whose visit, which code and when."""
    if known := identified(node):
        return known
    what = meant(node.get("code"))
    whose = around.parent("visit") or around.parent("patient")
    when = node.get("performedDateTime") or node.get("performedPeriod", {}).get("start", "")
    return f"{whose}|{what}|{when}"
