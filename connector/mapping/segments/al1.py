"""AL1 <-> AllergyIntolerance (guide: AL1[AllergyIntolerance])."""

from __future__ import annotations

from ..datatypes.coded import meant
from ..datatypes.kept import Kept
from ..datatypes.primitives import Code, date_time
from ..datatypes.worded import Worded
from ..fields import Field, One
from ..lens import Item, Joint
from ..places import Json
from ..units import Around
from .rows import concept, value

ALLERGEN_TYPE = Kept(
    Joint("1", (("category.0", "HL70127-category"), ("type", "HL70127-type"))), "HL70127", "_category.0"
)
SEVERITY = Kept(Item("1", "criticality", Code("HL70128-criticality")), "HL70128", "_criticality")

AL1_ALLERGYINTOLERANCE = (
    One(
        "AL1-2",
        "",
        (Worded(ALLERGEN_TYPE),),
        shared=True,
    ),
    concept("AL1-3", "code"),
    One("AL1-4", "", (Worded(SEVERITY),), shared=True),
    Field("AL1-5", "reaction", (Item("1", "manifestation.0.text"),)),
    value("AL1-6", "onsetDateTime", date_time),
)

ACTIVE = {
    "clinicalStatus": {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
        ]
    }
}


def identity(node: Json, around: Around) -> str:
    """Whose allergy, and to what."""
    what = meant(node.get("code"))
    return f"{around.parent('patient')}|{what}"
