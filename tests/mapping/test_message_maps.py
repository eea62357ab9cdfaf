"""Which map a message has, and what becomes of one that has none."""

from __future__ import annotations

import pytest

from connector.mapping import Translator
from connector.mapping.compiled import Atlas
from connector.mapping.messages import registry
from connector.mapping.messages.registry import ANY, MESSAGE_MAPS, is_known, known_messages, map_of
from connector.mapping.partner import Partner
from tests.shipped import TRANSLATOR as T


def test_every_event_of_a_structure_has_its_map() -> None:
    assert map_of("ADT", "A04") is map_of("ADT", "A01")
    assert {"ADT^A01", "ADT^A04", "ADT^A28", "ORU^R01"} <= known_messages()
    assert is_known("ADT", "A13")
    assert not is_known("ADT", "A99")


def test_maps_are_bound_when_asked_or_when_the_first_message_comes() -> None:
    translator = Translator(Atlas(Partner()))
    translator.bind(["ORU^R01", "SIU^*"])
    ready = translator.atlas._by_name.keys()
    assert ready == {"ORU", "SIU"}


def test_an_event_nobody_knows_has_the_map_of_its_code_and_a_code_nobody_knows_has_the_general_one() -> None:
    assert map_of("ADT", "A99").name == "ADT"
    assert map_of("XYZ", "Q99") is ANY


def test_a_message_without_a_map_is_said_segment_by_segment_and_says_so() -> None:
    text = "MSH|^~\\&|A|B|||20260101||XYZ^Q99|7|P|2.5\rPID|||1^^^H^MR||Roe\rPV1|1|I\r"
    said = T.to_fhir(text)
    kinds = [entry["resource"]["resourceType"] for entry in said.bundle["entry"]]
    assert {"MessageHeader", "Patient", "Encounter"} <= {*kinds}
    assert "MSH-9" in said.lost
    assert T.to_v2(said.bundle, text).message == text


@pytest.mark.parametrize("each", [*MESSAGE_MAPS, ANY], ids=lambda each: each.name)
def test_a_segment_belongs_to_one_unit_of_a_map_and_a_unit_is_written_once(each: registry.MessageMap) -> None:
    for unit in each.units:
        for other in each.units:
            named = {*unit.segments} - {*unit.many, *unit.leads, *unit.members}
            # told apart by what they follow, or by what they value
            if unit.when or other.when or (unit.after and other.after):
                alike = {*unit.after} & {*other.after} and unit.opener == other.opener
                assert unit is other or not alike or (unit.when and other.when), (unit.name, other.name)
                continue
            assert unit is other or not named & {*other.segments} - {*other.many}, (unit.name, other.name)
    assert len({*each.order}) == len(each.order)
    assert {*each.order} <= {unit.name for unit in each.units}


@pytest.mark.parametrize("each", MESSAGE_MAPS, ids=lambda each: each.name)
def test_what_others_refer_to_is_spoken_of_first(each: registry.MessageMap) -> None:
    names = [unit.name for unit in each.units]
    for unit in each.units:
        for around in unit.under:
            assert around not in names[names.index(unit.name) + 1 :], (unit.name, around)
