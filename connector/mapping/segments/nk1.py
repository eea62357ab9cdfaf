"""NK1 <-> RelatedPerson (guide: NK1[RelatedPerson])."""

from __future__ import annotations

from ..datatypes.coded import Concept, first_coding
from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.people import XAD_ADDRESS, XPN_HUMANNAME, XTN_CONTACTPOINT
from ..datatypes.primitives import End, date, date_time
from ..datatypes.references import identified
from ..fields import Field, One
from ..lens import At, Item
from ..places import Json
from ..units import Around
from .contact import CONTACTS
from .pid import SSN
from .rows import V2, coded_in, concepts, gender, value

_OF_CONTACTS = tuple({"coding": [{"system": V2 + "0063", "code": code}]} for code in sorted(CONTACTS))

NK1_RELATEDPERSON = (
    Field("NK1-2", "name", XPN_HUMANNAME, rest=True, key=("use",)),
    Field("NK1-3", "relationship", (Concept("HL70063"),), most=1, never=_OF_CONTACTS, shared=True),
    Field("NK1-4", "address", XAD_ADDRESS, rest=True, key=("use", "type")),
    Field("NK1-5", "telecom", XTN_CONTACTPOINT, rest=True, key=("system", "use")),
    Field("NK1-6", "telecom", XTN_CONTACTPOINT, default={"use": "work"}, key=("system", "use")),
    Field("NK1-40", "telecom", XTN_CONTACTPOINT, key=("system", "use")),
    Field("NK1-30", "name", XPN_HUMANNAME, key=("use",)),
    Field("NK1-31", "telecom", XTN_CONTACTPOINT, key=("system", "use")),
    Field("NK1-41", "telecom", XTN_CONTACTPOINT, key=("system", "use")),
    Field("NK1-32", "address", XAD_ADDRESS, key=("use", "type")),
    concepts("NK1-7", "relationship", "HL70131", prefers=coded_in(V2 + "0131")),
    value("NK1-8", "period.start", date_time),
    One("NK1-9", "", (End("1", date_time, "period"),)),
    Field("NK1-33", "identifier", CX_IDENTIFIER, rest=True, key=("system", "type")),
    Field("NK1-12", "identifier", CX_IDENTIFIER, key=("system", "type")),
    gender("NK1-15"),
    value("NK1-16", "birthDate", date),
    Field("NK1-20", "communication", (At("language", (Concept("HL70296"),)),), most=1),
    Field("NK1-37", "identifier", (Item("1", "value"),), tag=SSN, most=1),
)


def identity(node: Json, around: Around) -> str:
    """Whose relative, then the identifier, else the name and the relationship."""
    if known := identified(node):
        return f"{around.parent('patient')}|{known}"
    name = (node.get("name") or [{}])[0]
    relationship = (node.get("relationship") or [{}])[0]
    words = (
        name.get("family", ""),
        " ".join(name.get("given", ())),
        first_coding(relationship).get("code", ""),
    )
    return "|".join((around.parent("patient"), *words))
