from __future__ import annotations

import importlib.util
import io
import zipfile
from pathlib import Path

import pytest

from connector.hl7v2 import definitions
from connector.hl7v2.definitions import Element
from connector.hl7v2.structure import field_name

ROOT = Path(__file__).parents[2]


def test_a_field_has_a_name_a_datatype_and_a_table() -> None:
    assert definitions.field("PID", 3, "2.5.1") == Element("Patient identifier list", "CX", True, True, "")
    assert definitions.field("PID", 8, "2.5.1") == Element("Administrative sex", "IS", False, False, "0001")
    assert field_name("PID", 5, "2.5.1") == "Patient name"


@pytest.mark.parametrize(("segment", "number"), [("PID", 0), ("PID", 99), ("ZZ1", 1), ("DG1", 7)])
def test_what_a_version_does_not_know_is_none(segment: str, number: int) -> None:
    assert definitions.field(segment, number, "2.6") is None
    assert field_name(segment, number, "2.6") == ""


def test_fields_differ_by_version() -> None:
    assert definitions.field("OBX", 14, "2.1") is None
    assert definitions.field("PID", 7, "2.5.1") != definitions.field("PID", 7, "2.8")


def test_a_component_has_them_too() -> None:
    assert definitions.component("CX", 5, "2.5.1") == Element(
        "Identifier type code", "ID", False, False, "0203"
    )
    assert definitions.component("CX", 50, "2.5.1") is None
    assert definitions.component("ST", 1, "2.5.1") is None


def test_tables_list_their_codes_where_they_are_known() -> None:
    assert definitions.codes("0001", "2.5.1") == frozenset("AFMNOU")
    assert definitions.codes("0001", "2.2") is None
    assert definitions.codes("9999", "2.5.1") is None


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ("2.5.1", "2.5.1"),
        ("2.5.2", "2.5.1"),
        ("2.9", "2.8.2"),
        ("2.3.2", "2.3.1"),
        ("2.0D", "2.1"),
        ("", "2.5.1"),
        ("3.0", "2.8.2"),
        (" 2.4 ", "2.4"),
        ("two", "2.5.1"),
        ("2", "2.1"),
        ("2.31", "2.8.2"),
    ],
)
def test_any_version_comes_to_a_known_one(sent: str, known: str) -> None:
    assert definitions.nearest(sent) == known


def test_the_nearest_versions_come_first() -> None:
    assert definitions.by_nearness("2.5")[:3] == ["2.5", "2.5.1", "2.4"]
    assert sorted(definitions.by_nearness("2.1")) == sorted(definitions.VERSIONS)


def test_compiling_again_gives_the_committed_file() -> None:
    place = ROOT / "scripts" / "compile_structures.py"
    spec = importlib.util.spec_from_file_location("compile_structures", place)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    committed = (ROOT / "connector" / "hl7v2" / "definitions.zip").read_bytes()
    packed = script.packed()
    assert members(packed) == members(committed)
    assert packed == script.packed()
    assert len(committed) < 1_000_000


def members(packed: bytes) -> list[tuple[str, bytes]]:
    """Names and contents in their order; how hard they are pressed depends on the zlib at hand."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]
