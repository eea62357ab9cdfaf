from __future__ import annotations

from pathlib import Path

import pytest

from connector.profile.check import check
from tests.profile.planted import DEMO

ROWS = frozenset({"PID-3", "PID-5.1", "PID-5.2", "PID-18", "PID-19", "PV1-2", "MSH-5"})
TABLES = frozenset({"HL70001", "HL70004"})
MESSAGES = frozenset({"ADT^A01", "ADT^A02", "ADT^A03", "ADT^A08", "ADT^A28", "ADT^A31", "ORU^R01"})


def _faults(folder: Path, text: str) -> list[str]:
    path = folder / "p.toml"
    path.write_text('name = "p"\n' + text)
    return [
        str(fault).removeprefix(f"{folder}/")
        for fault in check(path, rows=ROWS, tables=TABLES, messages=MESSAGES)
    ]


def test_the_demo_profile_has_no_fault() -> None:
    everything = MESSAGES | {"ADT^A04"}
    assert check(DEMO) == []
    assert check(DEMO, rows=ROWS, tables=TABLES, messages=everything) == []


@pytest.mark.parametrize("place", ["PID-19", "PID-3.1", "PID-5", "PID", "PV1", "ZPI", "ZPI-3.1"])
def test_a_place_that_the_maps_know_can_be_dropped(place: str, tmp_path: Path) -> None:
    assert _faults(tmp_path, f'mapping.drop = ["{place}"]\n') == []


def test_a_place_that_the_maps_do_not_know_is_told_with_the_nearest(tmp_path: Path) -> None:
    text = '[mapping]\ndrop = [\n  "PID-19",\n  "PID-29",\n  "XYZ",\n]\n'
    assert _faults(tmp_path, text) == [
        "p.toml:5: the maps have no PID-29 (did you mean PID-19?)",
        "p.toml:6: the maps have no XYZ (leave it out: it is not translated)",
    ]


@pytest.mark.parametrize(
    "line",
    ['default."PV1-4" = "I"', 'constant."MSH-6" = "X"', 'move."PID-4" = "PID-3"', 'move."PID-18" = "PID-2"'],
)
def test_every_verb_is_held_to_the_maps(line: str, tmp_path: Path) -> None:
    assert [fault[:8] for fault in _faults(tmp_path, f"[mapping]\n{line}\n")] == ["p.toml:3"]


def test_a_place_that_the_maps_translate_gets_no_second_row(tmp_path: Path) -> None:
    text = '[[mapping.identifier]]\nsystem = "urn:x-y:z"\nto = "Patient"\nfrom = "PID-18.1"\n'
    assert _faults(tmp_path, text) == [
        "p.toml:5: the maps translate PID-18.1 already (name a place that they do not translate)"
    ]


def test_a_table_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    assert _faults(tmp_path, '[mapping.codes.HL70005]\nA = "b"\n') == [
        "p.toml:2: there is no code table HL70005 (did you mean HL70004?)"
    ]


def test_a_message_without_a_map_is_told(tmp_path: Path) -> None:
    text = '[v2]\nmessages = ["ADT^*",\n"SIU^*",\n"ADT^A60"]\n[events]\n'
    text += '"Patient.delete" = "ADT^A23"\n"Flag.update" = ""\n'
    assert [fault.partition(" (")[0] for fault in _faults(tmp_path, text)] == [
        "p.toml:4: there is no map for SIU^*",
        "p.toml:5: there is no map for ADT^A60",
        "p.toml:7: there is no map for ADT^A23",
    ]


def test_faults_of_form_come_before_those_that_only_the_maps_can_tell(tmp_path: Path) -> None:
    faults = _faults(tmp_path, 'mapping.drop = ["PID-99"]\nv2.charste = "x"\n')
    assert [fault[:8] for fault in faults] == ["p.toml:3"]
