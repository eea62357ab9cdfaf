"""Events: their message code, and their message structure (table 0354)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...hl7v2.events import STRUCTURES

EVENTS: Final = "http://terminology.hl7.org/CodeSystem/v2-0003"
EVENT_URN: Final = "urn:hl7-org:v2:message:"  # before what MSH-9 says, where its event is no code

_CODES: Mapping[str, str] = {
    "C": "CRM", "I": "REF", "P": "BAR", "R": "ORU", "S": "SIU", "T": "MDM", "V": "VXU"
}  # fmt: skip
_CODE_OF: Mapping[str, str] = {
    "O01": "ORM", "O09": "OMP", "O11": "RDE", "O13": "RDS", "O17": "RAS", "O19": "OMG", "O21": "OML",
    "O25": "RDE", "O33": "OML", "O35": "OML", "P03": "DFT", "P11": "DFT", "PC1": "PPR", "PC2": "PPR",
    "PC3": "PPR", "R22": "OUL", "R23": "OUL", "R24": "OUL",
}  # fmt: skip


def structure_of(code: str, event: str) -> str:
    """The message structure (MSH-9.3) of an event (HL7 table 0354)."""
    exact = f"{code}_{event}" if event else code
    return STRUCTURES.get(exact, exact)


def code_of(event: str) -> str:
    """The message code (MSH-9.1) of a trigger event: ``ORU`` for ``R01``."""
    return _CODE_OF.get(event) or _CODES.get(event[:1], "ADT")
