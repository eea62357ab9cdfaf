"""Names of coding systems (HL7 table 0396, and what senders write in its place) <-> URIs.

``LN`` is ``http://loinc.org``. A table of HL7 itself is a rule: ``HL70078`` is
``http://terminology.hl7.org/CodeSystem/v2-0078``. All others are rows of ``tables/HL70396.codes``, whose
arrows say which of several names is written back.

Names are compared without regard to case and to blanks around them, since senders write ``ln`` and
``Loinc``; URIs are compared exactly (RFC 3986 ch. 6.2.1, as FHIR asks for). Local systems (``L``, ``99zzz``)
have no URI of their own: what they mean is known between partners only.
"""

from __future__ import annotations

import re
from functools import cache

from .codes import CodeTable

_V2 = "http://terminology.hl7.org/CodeSystem/v2-"
_TABLE = re.compile(r"(?:HL7)[-_ ]?(\d{4})\Z", re.ASCII)
_TABLE_URI = re.compile(re.escape(_V2) + r"(\d{4})\Z", re.ASCII)
_LOCAL = re.compile(r"(?:L|LB|99.*)\Z", re.DOTALL)


def to_uri(name: str) -> str | None:
    """The URI of a coding system's name; ``None`` for a local or unknown one."""
    name = name.strip().upper()
    if said := _TABLE.match(name):
        return _V2 + said[1]
    return _uris().get(name)


def to_name(uri: str) -> str | None:
    """The name that table 0396 has for a URI; ``None`` for a URI without one."""
    if said := _TABLE_URI.match(uri):
        return "HL7" + said[1]
    return _names().get(uri)


def is_local(name: str) -> bool:
    """Whether a name says that its codes are the sender's own (``L``, ``LB``, ``99`` and anything)."""
    return bool(_LOCAL.match(name.strip().upper()))


@cache
def _uris() -> dict[str, str]:
    return {name.upper(): coded.code for name, coded in CodeTable.load("HL70396").to_fhir.items()}


@cache
def _names() -> dict[str, str]:
    return dict(CodeTable.load("HL70396").codes_to_v2)
