"""Codes of a required binding: the table's code, and the sender's where another would come back."""

from __future__ import annotations

from dataclasses import dataclass

from ..datatypes.kept import Kept
from ..datatypes.primitives import Code, code_text
from ..lens import Codec, Item, Row
from ..partner import Partner


@dataclass(frozen=True, slots=True)
class CodeOr:
    """A code by a table; one that the table does not know is ``otherwise``, which goes back to nothing."""

    table: str
    otherwise: str

    def __call__(self, partner: Partner) -> Codec:
        known = Code(self.table)(partner)
        table, otherwise = partner.table(self.table), self.otherwise

        def to_fhir(sent: str) -> str | None:
            return known.to_fhir(sent) or (otherwise if code_text(sent) else None)

        def to_v2(value: object) -> str | None:
            return table.codes_to_v2.get(value) if isinstance(value, str) else None

        return Codec(to_fhir, to_v2)


def status_code(table: str, path: str = "status", otherwise: str = "unknown") -> Row:
    """A field's first component <-> a status that FHIR requires."""
    return Kept(Item("1", path, CodeOr(table, otherwise)), table, under=f"_{path}")


_REFLEX = {"G": "reflex-order"}


def _intent(_: Partner) -> Codec:
    """ID of table 0065 <-> ``intent``: a reflex order is one; whatever else the specimen is for, an order."""
    back = {code: sent for sent, code in _REFLEX.items()}
    return Codec(
        lambda sent: _REFLEX.get(sent, "order") if code_text(sent) else None,
        lambda value: back.get(value) if isinstance(value, str) else None,
    )


INTENT: Row = Kept(Item("1", "intent", _intent), "HL70065", under="_intent")
"""OBR-11; the sender's code stays beside what is an order all the same."""
