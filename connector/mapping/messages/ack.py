"""ACK: general acknowledgment (HL7 v2.5.1 ch. 2.13.1; guide: MSA[MessageHeader])."""

from __future__ import annotations

from .message_map import MessageMap
from .units import HEADER

MAPS = (MessageMap("ACK", ("ACK",), (HEADER,), ("header",)),)
