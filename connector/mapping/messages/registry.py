"""Every message map there is, and the one for messages that have none.

A message of an event nobody mapped is said segment by segment, by the units of the segments it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Final

from ...hl7v2.events import STRUCTURES
from ..segments import prb
from ..units import ResourceMap, Unit
from . import ack, adt, adt_beds, adt_merges, dft, mdm, oml, oru, pharmacy, ppr, ref, siu, vxu
from .events import structure_of
from .message_map import MessageMap
from .units import SOFTWARE

_FAMILIES: Final = (
    *ack.MAPS,
    *adt.MAPS,
    *adt_beds.MAPS,
    *adt_merges.MAPS,
    *dft.MAPS,
    *mdm.MAPS,
    *oml.MAPS,
    *oru.MAPS,
    *pharmacy.MAPS,
    *ppr.MAPS,
    *ref.MAPS,
    *siu.MAPS,
    *vxu.MAPS,
)

# Software may sign any message (HL7 v2.5.1 ch. 2.15.12).
MESSAGE_MAPS: Final[tuple[MessageMap, ...]] = tuple(
    replace(
        each,
        units=(each.units[0], SOFTWARE, *each.units[1:]),
        order=(each.order[0], SOFTWARE.name, *each.order[1:]),
    )
    for each in _FAMILIES
)


@cache
def map_of(code: str, event: str) -> MessageMap:
    """The map of a message by MSH-9.1 and MSH-9.2; ``ANY`` where there is none."""
    return _by_structure().get(structure_of(code, event)) or _by_code().get(code, ANY)


def is_known(code: str, event: str) -> bool:
    """Whether a map was made for messages of this event."""
    return structure_of(code, event) in _by_structure()


@cache
def known_messages() -> frozenset[str]:
    """The messages that have a map: ``ADT^A01``."""
    exact = {structure.replace("_", "^") for structure in _by_structure() if "_" in structure}
    shared = {event.replace("_", "^") for event, named in STRUCTURES.items() if named in _by_structure()}
    return frozenset(exact | shared)


def units() -> Iterator[Unit]:
    """Every unit of every map, each once."""
    found = {id(unit): unit for each in MESSAGE_MAPS for unit in each.units}
    return iter(found.values())


@cache
def _by_structure() -> dict[str, MessageMap]:
    found: dict[str, MessageMap] = {}
    for each in MESSAGE_MAPS:
        for structure in each.structures:
            if structure in found:
                raise AssertionError(f"{structure} has two maps")
            found[structure] = each
    return found


@cache
def _by_code() -> dict[str, MessageMap]:
    """What an event that no structure is known of is taken for, by message code."""
    found: dict[str, MessageMap] = {}
    for each in MESSAGE_MAPS:
        for structure in each.structures:
            found.setdefault(structure.partition("_")[0], each)
    return found


def _any() -> MessageMap:
    """The units of all maps, of several for one segment the first."""
    taken: set[str] = set()
    names: set[str] = set()
    found: list[Unit] = []
    for each in MESSAGE_MAPS:
        for unit in each.units:
            if unit.name not in names and unit.opener not in taken:
                names.add(unit.name)
                taken.update(() if unit.after else unit.segments)
                found.append(_apart(unit))
    return MessageMap("any", (), tuple(found), tuple(unit.name for unit in found))


def _apart(unit: Unit) -> Unit:
    """A unit that leaves to another what both could say."""
    says = {"problem": prb.is_problem, "diagnosis": lambda node: not prb.is_problem(node)}.get(unit.name)
    first = unit.maps[0]
    if says is None or not isinstance(first, ResourceMap):
        return unit
    return replace(unit, maps=(replace(first, says=says), *unit.maps[1:]))


ANY: Final = _any()
