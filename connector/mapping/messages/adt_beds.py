"""ADT^A20: the status of a bed, which is about no patient (HL7 v2.5.1 ch. 3.3.20; the guide has no map)."""

from __future__ import annotations

from ..datatypes.references import Place
from ..fields import One
from ..segments.beds import BedStatus, named
from ..units import Bond, Unit
from .message_map import MessageMap
from .units import EVENT, HEADER

_NPU_LOCATION = (One("NPU-1", "", (Place(""),)), BedStatus("NPU", 2, "reference", named))

BED = Unit(
    "bed",
    "NPU",
    (Bond("header", "focus", "", "Location", _NPU_LOCATION),),
    under=("header",),
    after=("event", "header"),
    free=True,
)
"""The bed is what the message is about."""

MAPS = (MessageMap("ADT-bed", ("ADT_A20",), (HEADER, EVENT, BED), ("header", "event", "bed")),)
