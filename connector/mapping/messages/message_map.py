"""A message map: the units that messages of one kind are made of."""

from __future__ import annotations

from dataclasses import dataclass

from ...hl7v2.structure import Structure
from ..units import Unit


@dataclass(frozen=True, slots=True)
class MessageMap:
    """The units of the messages that share some structures.

    ``structures``: of HL7 table 0354, such as ``ADT_A01``; every event that uses one of them has this map.
    ``units``: in the order they are spoken of, what others refer to first. ``order``: their names in the
    order they are written; units that are not named there are written at the end, where FHIR was v2 before.
    A segment belongs to at most one unit of a map. ``like``: the map whose messages are made of the same
    units, but for what only these say; a message may be written over one of those too.
    """

    name: str
    structures: tuple[str, ...]
    units: tuple[Unit, ...]
    order: tuple[str, ...]
    like: str = ""

    def written(self, headed: bool, foreseen: Structure | None = None) -> tuple[str, ...]:
        """The units in the order they are written.

        ``headed``: FHIR names the message itself, so it may have been a v2 message before; then what its
        structure does not foresee, and was sent all the same, follows at the end. Otherwise only what the
        structure that is written knows is said.
        """
        if headed:
            return self.order + tuple(unit.name for unit in self.units if unit.name not in self.order)
        if foreseen is None:
            return self.order
        openers = {unit.name: unit.opener for unit in self.units}
        return tuple(name for name in self.order if openers.get(name) in foreseen.root.holds)
