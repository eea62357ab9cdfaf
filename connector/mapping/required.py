"""What a new message says where the standard demands more than FHIR has a word for: the defaults.

A field is filled only where the version that is written demands it. Who did something, or under which number,
has no default: such a field stays empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REPORTED: Final = "RE"
CHANGED: Final = "XO"

Default = str | int | tuple[str, int]
"""A text; the same as another field of the segment; or as a field of the first segment of a name.

A text that begins with ``?`` depends on the event: see ``BY_EVENT``.
"""

_PLACED: Final = {
    "": "NW",
    "CA": "CA",  # cancelled: cancel it
    "DC": "DC",  # discontinued
    "HD": "HD",  # on hold
    "CM": "SC",  # completed: the status changed
    "ER": "CA",
}

CONTROLS: Final[Mapping[str, Mapping[str, str]]] = dict.fromkeys(
    ("OMP", "ORM", "OML", "OMG", "OMI", "RDE", "REF"), _PLACED
)
"""By message code, ORC-1 (table 0119) of what a placer asks for, by its status in ORC-5 (table 0038).

What is carried out is reported (``RE``).
"""

BY_EVENT: Final[Mapping[str, Mapping[str, str]]] = {
    "PRB-1": {"": "AD", "PC2": "UP", "PC3": "DE"},  # table 0287
}

ADDED: Final[Mapping[str, Mapping[int, Default]]] = {
    "EVN": {2: ("MSH", 7)},
    "PV1": {1: "1", 2: "N"},  # there is no visit
    "RXR": {1: '""'},  # there is a route, and nobody says which
    "PRD": {1: '""'},  # a referral is from or to somebody, and nobody says who
}
"""Segments that some structures demand, with what they say where FHIR has no word for them."""

REQUIRED: Final[Mapping[str, Mapping[int, Default]]] = {
    "EVN": {2: ("MSH", 7)},
    "PV1": {2: "U"},  # table 0004: unknown
    "ROL": {2: "AD"},  # table 0287: add
    "PRT": {2: "AD"},
    "DG1": {6: "W"},  # table 0052: working
    "IAM": {6: "A"},  # table 0323: add
    "OBX": {3: ("TXA", 2), 11: "F"},  # what a document holds is what it is
    "RXA": {1: "0", 2: "1", 6: "999"},  # 999: the amount is not known (CDC's guide)
    "VXU:RXA": {4: 3},  # a vaccination takes no time; another administration might
    "RXD": {1: "1"},
    "PRB": {1: "?PRB-1", 2: ("MSH", 7)},
    "FT1": {6: "CG"},  # table 0017: a charge
}
"""By segment, perhaps of one message code only, and field: the default."""
