"""ADT about two patients: merges, links, moves, new identifiers, swapped beds (HL7 v2.5.1 ch. 3.3, 3.6.2).

MRG retires what PID and PV1 replace, whether two records became one or one has another identifier now: what
is known under the old one must not be used any more. A MRG whose superior identifiers are those of PID says
them again, and nothing of them is retired. A move (A43, A44, A45) retires nobody: that PID's patient has the
account or the visit now is all that FHIR says of it; whose it was is lost. Guide: message map ADT_A17 and
segment map MRG[Account].
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ..segments import mrg, pid, pv1
from ..units import Mutual, ResourceMap, Unit
from . import adt
from .message_map import MessageMap

_SUBJECT: Final = {"subject": ("patient", 0)}


def _linked(here: str, there: str, ended: bool = False) -> Mutual:
    return Mutual("patient", "link", "other", {"type": here}, {"type": there}, ended)


MERGED = Unit(
    "merged",
    "MRG",
    (
        ResourceMap(
            "Patient",
            mrg.MRG_PATIENT,
            pid.identity,
            complete=mrg.retire_patient,
            needs=("active",),
            says=mrg.is_retired,
            mutual=_linked("replaced-by", "replaces"),
            apart=mrg.says_no_more,
        ),
        ResourceMap(
            "Account",
            mrg.MRG_ACCOUNT,
            pid.identity,
            links={"subject.0": ("patient", 0)},
            default={"status": "unknown"},
            complete=mrg.retire_account,
            needs=("subject",),
            via="<subject",
            says=mrg.is_retired,
            apart=mrg.says_no_more,
            opens=True,
        ),
        ResourceMap(
            "Encounter",
            mrg.MRG_ENCOUNTER,
            pv1.identity,
            links=_SUBJECT,
            complete=mrg.retire_visit,
            needs=("identifier", "subject"),
            via="<subject",
            says=mrg.is_retired,
            apart=mrg.says_no_more,
            opens=True,
        ),
    ),
    under=("header", "patient"),
    once=True,
)

# What MRG says of a move: nobody is retired, and what it says again is not lost.
MOVED = replace(
    MERGED,
    name="moved",
    maps=tuple(
        replace(one, mutual=None, opens=False, says=lambda _: False, unless=lambda _: True)
        for one in MERGED.maps
        if isinstance(one, ResourceMap)
    ),
    once=False,
)

_KINDS: Final = ("Patient", "Account", "Encounter")


def _current(unit: Unit) -> Unit:
    """A unit that leaves to MRG what is retired."""
    maps = tuple(
        replace(one, says=mrg.is_current) if isinstance(one, ResourceMap) and one.kind in _KINDS else one
        for one in unit.maps
    )
    return replace(unit, maps=maps)


def _mutual(unit: Unit, mutual: Mutual) -> Unit:
    """PID of which a second one stands for another record of the first one's patient."""
    first, *others = unit.maps
    assert isinstance(first, ResourceMap)  # noqa: S101 - PID speaks of a Patient
    return replace(unit, maps=(replace(first, mutual=mutual), *others), under=(*unit.under, "patient"))


def _with_account(unit: Unit) -> Unit:
    """PV1 whose visit belongs to PID's account."""
    first, *others = unit.maps
    assert isinstance(first, ResourceMap)  # noqa: S101 - PV1 speaks of an Encounter
    links = {**first.links, "account.0": ("patient", 1)}
    return replace(unit, maps=(replace(first, links=links), *others))


_ADT: Final = adt.MAPS[0]
_UNITS: Final = {unit.name: unit for unit in _ADT.units}
_PATIENT: Final = _current(_UNITS["patient"])
_VISIT: Final = _current(_UNITS["visit"])


def _units(*changed: Unit) -> tuple[Unit, ...]:
    """The units of other ADT messages, some of them in place of their namesakes, others behind them."""
    named = {unit.name: unit for unit in changed}
    kept = tuple(named.pop(unit.name, unit) for unit in _ADT.units)
    return (*kept, *named.values())


def _order() -> tuple[str, ...]:
    """MRG stands behind the patient that it merges into, before all else about that one."""
    at = _ADT.order.index("kin")
    return (*_ADT.order[:at], "merged", *_ADT.order[at:])


_MERGING: Final = _units(_PATIENT, _VISIT, MERGED)
_MOVING: Final = _units(_with_account(_UNITS["visit"]), MOVED)
_LINKING: Final = _units(_mutual(_UNITS["patient"], _linked("seealso", "seealso")))
_UNLINKING: Final = _units(_mutual(_UNITS["patient"], _linked("seealso", "seealso", ended=True)))

MAPS = (
    MessageMap("ADT-merge", ("ADT_A18", "ADT_A30", "ADT_A39", "ADT_A50"), _MERGING, _order()),
    MessageMap("ADT-class", ("ADT_A06",), _MERGING, _order(), like=_ADT.name),
    MessageMap("ADT-move", ("ADT_A43", "ADT_A45"), _MOVING, _ADT.order),
    MessageMap("ADT-swap", ("ADT_A17",), _ADT.units, _ADT.order),
    MessageMap("ADT-link", ("ADT_A24",), _LINKING, _ADT.order),
    MessageMap("ADT-unlink", ("ADT_A37",), _UNLINKING, _ADT.order),
)
