"""NTE <-> Annotation (guide: NTE[Observation], NTE[ServiceRequest]); its fields are the components."""

from __future__ import annotations

from ..datatypes.primitives import date_time
from ..datatypes.references import practitioner
from ..datatypes.text import FreeText
from ..lens import Item
from ..units import Segments
from .inside import Inside

NTE_ANNOTATION = (
    FreeText("3", "text"),
    Inside("5", practitioner("authorReference"), needs="text"),
    Item("6", "time", date_time),
)


def notes(path: str = "note") -> Segments:
    """Every NTE as an element of the list at ``path``."""
    return Segments("NTE", path, NTE_ANNOTATION, needs=("text",))
