"""IAM <-> AllergyIntolerance (guide: IAM[AllergyIntolerance])."""

from __future__ import annotations

from ..datatypes.coded import OneCoding, meant
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.primitives import date_time
from ..datatypes.references import identified
from ..datatypes.worded import Worded
from ..fields import Field, One
from ..lens import Item
from ..places import Json, copies
from ..units import Around
from .al1 import ACTIVE, ALLERGEN_TYPE, SEVERITY
from .onset import Onset
from .reporter import Reporter
from .rows import concept, value
from .standing import CLINICAL, ERROR, VERIFICATION, Standing

IAM_ALLERGYINTOLERANCE = (
    One("IAM-2", "", (Worded(ALLERGEN_TYPE),), shared=True),
    concept("IAM-3", "code"),
    One("IAM-4", "", (Worded(SEVERITY),), shared=True),
    Field("IAM-5", "reaction", (Item("1", "manifestation.0.text"),)),
    Standing(),
    Field("IAM-7", "identifier", EI_IDENTIFIER, most=1),
    Onset("IAM", 11, 12),
    value("IAM-13", "recordedDate", date_time),
    Reporter(),
    Field("IAM-27", "code.coding", (OneCoding(),), only=lambda coding: False, most=1),
)


def complete(node: Json, around: Around) -> None:
    """An allergy is active where nothing else is said, and has no clinical status where it is an error."""
    if _coded(node, "verificationStatus", VERIFICATION) == ERROR:
        node.pop("clinicalStatus", None)
        return
    if not _coded(node, "clinicalStatus", CLINICAL):
        status = node.setdefault("clinicalStatus", {})
        status.setdefault("coding", []).extend(copies(ACTIVE["clinicalStatus"])()["coding"])


def _coded(node: Json, name: str, system: str) -> str:
    codings = node.get(name, {}).get("coding", ())
    return next((str(one.get("code")) for one in codings if one.get("system") == system), "")


def says(node: Json) -> bool:
    """Whether an allergy says what only IAM has a place for."""
    if node.keys() & {"identifier", "onsetString", "recordedDate", "recorder", "verificationStatus"}:
        return True
    return _coded(node, "clinicalStatus", CLINICAL) not in ("", "active")


def identity(node: Json, around: Around) -> str:
    """The identifier of the allergy (IAM-7), else whose it is, and to what."""
    return identified(node) or f"{around.parent('patient')}|{meant(node.get('code'))}"
