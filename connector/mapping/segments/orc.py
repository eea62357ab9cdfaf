"""ORC <-> ServiceRequest and DiagnosticReport (guide: ORC[ServiceRequest], ORC[DiagnosticReport])."""

from __future__ import annotations

from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.primitives import Code, date_time
from ..datatypes.references import practitioner
from ..fields import Field, One
from .rows import Constant, type_of, value

ORC_NUMBERS = (
    Field("ORC-2", "identifier", EI_IDENTIFIER, tag=type_of("PLAC"), key=("system",)),
    Field("ORC-3", "identifier", EI_IDENTIFIER, tag=type_of("FILL"), key=("system",)),
)

ORC_SERVICEREQUEST = (
    *ORC_NUMBERS,
    One("ORC-4", "requisition", (*EI_IDENTIFIER, Constant(type_of("PGN")))),
    value("ORC-5", "status", Code("HL70038")),
    value("ORC-9", "authoredOn", date_time),
    One("ORC-12", "", practitioner("requester"), secondary=True),
)
