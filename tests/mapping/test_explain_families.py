"""In every family of messages, both ways: each element is named with the place it comes from."""

from __future__ import annotations

import re

import pytest

from connector.mapping.messages.registry import MESSAGE_MAPS
from tests.guide.everything import everything
from tests.shipped import TRANSLATOR

STRUCTURES = [structure for each in MESSAGE_MAPS for structure in each.structures]

# What no field says: constants that FHIR asks for, and what follows from several elements together.
FOLLOWS = re.compile(
    r"\.extension\.(url|valueCode)$"  # why something is absent
    r"|^Appointment\.extension\.url|^Encounter\.status|^Patient\.(active|link\.type)"
    r"|\.(category|clinicalStatus|class\.type|activity|relationship|agent\.type|role)\.coding\."
    r"|^CareTeam\.participant\.role\.text|^Provenance\.(recorded|entity\.role)"
    r"|^MessageHeader\.source\.(software|version)|^MedicationDispense\.substitution\.wasSubstituted$"
    # an order that an appointment fulfils
    r"|^ServiceRequest\.(code\.coding\.(code|display)|occurrencePeriod\.(start|end)|status)$"
)

# What is written towards v2 without an element of its own: encodings, numbers of segments, names of coding
# systems, types of universal ids, and what the field beside it implies.
WRITTEN = re.compile(
    r"^MSH-(1|2|12|13|15|16|18)$|-1$|\.[34]$|^OBX-2|^PID-(24|30)$|^PV2-38\.2$|^SAC-24\.[12]$|^ORC-24|^PRT-4\.1$"
)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_each_element_towards_fhir_has_its_place(structure: str) -> None:
    told = TRANSLATOR.explain(everything(structure))
    unsaid = {one.element for one in told if not one.location and one.row.startswith("follows")}
    assert {at for at in map(_unnumbered, unsaid) if not FOLLOWS.search(at)} == set()


@pytest.mark.parametrize("structure", STRUCTURES)
def test_each_place_towards_v2_has_its_element(structure: str) -> None:
    bundle = TRANSLATOR.to_fhir(everything(structure)).bundle
    unsaid = {one.location for one in TRANSLATOR.explain(bundle) if not one.element}
    assert {at for at in map(_plain, unsaid) if not WRITTEN.search(at)} == set()


def _unnumbered(element: str) -> str:
    return re.sub(r"\[\d+\]", "", element)


def _plain(location: str) -> str:
    """A location without the numbers of segments and repetitions."""
    return re.sub(r"\[\d+\]|\(\d+\)", "", location)
