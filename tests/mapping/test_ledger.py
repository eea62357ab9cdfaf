"""The ledger says what the rows do, no more and no less; its pages in compliance/maps are fresh."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fhir.resources.R4B.conceptmap import ConceptMap

from connector import Translator
from connector.cli import main
from connector.commands.maps import Ledger, index, pages
from connector.hl7v2 import definitions
from connector.mapping import codes, ledger_coverage
from connector.mapping.codes import CodeTable
from connector.mapping.ledger import BY_PLACE, arrows, compared_table, field_of
from connector.mapping.verbs import known_rows
from tests.guide.messages import LEAST, written
from tests.guide.values import VERSION, text_of
from tests.profile.planted import DEMO

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "compliance" / "maps"
HEAD = "<!-- written by connector maps --out compliance/maps -->\n"


@pytest.fixture(scope="module")
def shipped() -> Ledger:
    return Ledger.of(None)


@pytest.fixture(scope="module")
def demo() -> Ledger:
    return Ledger.of(DEMO)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["maps", *arguments], prog_name="connector")


# --- the lines -----------------------------------------------------------------------------------------


def test_every_field_that_a_row_reads_is_in_the_ledger(shipped: Ledger) -> None:
    assert known_rows() <= {field_of(line.place) for line in shipped.lines}


def test_every_line_names_an_element_or_says_that_its_place_is_enough(shipped: Ledger) -> None:
    assert [line for line in shipped.lines if not line.element and line.by != BY_PLACE] == []


def test_a_component_has_its_element_its_codec_and_what_the_way_back_goes_by(shipped: Ledger) -> None:
    found = {line.place: line for line in shipped.lines if line.home == "Patient.telecom"}
    line = found["PID-14.2"]
    assert line.element == "Patient.telecom.use"
    assert "use=work unless said" in line.back


def test_a_resource_that_is_referred_to_is_named(shipped: Ledger) -> None:
    elements = {line.element for line in shipped.lines if line.place == "PV1-7.1"}
    assert "Encounter.participant.individual(Practitioner).identifier.value" in elements


def test_a_code_table_is_said_with_its_arrows() -> None:
    told = {one.v2: one.arrow for one in arrows(CodeTable.load("HL70001"))}
    assert (told["F"], told["A"]) == ("=", ">")


@pytest.mark.parametrize("name", codes.names())
def test_every_way_of_a_table_is_one_of_its_lines(name: str) -> None:
    table = CodeTable.load(name)
    told = list(arrows(table))
    assert {one.v2 for one in told if one.arrow in "=>"} == set(table.to_fhir)
    assert {(one.system, one.code) for one in told if one.arrow in "=<"} == set(table.to_v2)


# --- a profile -----------------------------------------------------------------------------------------


def test_what_a_profile_adds_and_drops_is_marked(demo: Ledger) -> None:
    changes = {(field_of(line.place), line.change) for line in demo.lines if line.change}
    assert changes == {("PID-19", "dropped"), ("ZPI-2", "added"), ("ZPI-5", "added")}


def test_the_codes_of_a_profile_are_marked(demo: Ledger) -> None:
    assert [(one.v2, one.change) for one in demo.tables["HL70001"] if one.change] == [("9", "added")]


def test_a_meaning_that_a_profile_replaces_is_dropped_and_added() -> None:
    table = CodeTable.load("HL70001")
    changed = [one for one in compared_table(table.extended({"A": "unknown"}), table) if one.change]
    assert [(one.v2, one.code, one.change) for one in changed] == [
        ("A", "unknown", "added"),
        ("A", "other", "dropped"),
    ]


# --- how much ------------------------------------------------------------------------------------------


def test_every_field_of_the_standard_is_counted_once(shipped: Ledger) -> None:
    for one in ledger_coverage.counted(shipped.lines):
        told = [*one.mapped, *one.by_place, *one.kept]
        assert len(told) == len(set(told))
        assert set(ledger_coverage.fields(one.segment)) <= set(told)


@pytest.mark.parametrize("segment", ["PID", "PV1", "NK1", "OBX"])
def test_what_is_counted_as_kept_only_by_the_prior_message_is_lost(shipped: Ledger, segment: str) -> None:
    [counted] = ledger_coverage.counted(shipped.lines, [segment])
    path = {"PID": "ADT_A01.PID", "PV1": "ADT_A01.PV1", "NK1": "ADT_A01.NK1", "OBX": "ADT_A01.OBX"}[segment]
    translator = Translator.default()
    for number in counted.kept:
        element = definitions.field(segment, number, VERSION)
        text = text_of(element.datatype if element else "ST", number)
        message, label = written(path, {}, {**LEAST[segment], number: text})
        lost = translator.to_fhir(message).lost
        assert f"{label}-{number}" in lost, (segment, number)


# --- the command ---------------------------------------------------------------------------------------


def test_the_ledger_of_a_segment_is_printed_as_markdown() -> None:
    result = run("--segment", "PID")
    assert result.exit_code == 0
    assert result.stdout.startswith("# PID\n")
    line = "| PID-8 | Administrative sex | CWE | Patient | 1 gender (table HL70001, original kept) |"
    assert line in result.stdout


def test_the_ledger_is_printed_as_csv() -> None:
    told = run("--segment", "PID", "--format", "csv").stdout.splitlines()
    assert told[0] == "place,name,datatype,element,by,back,messages,change"
    assert 'PID-8.1,Administrative sex,CWE,Patient.gender,"table HL70001, original kept",,,' in told


@pytest.mark.parametrize("arguments", [("--segment", "PID"), ("--table", "HL70004")])
def test_the_ledger_is_printed_as_valid_concept_maps(arguments: tuple[str, ...]) -> None:
    for line in run("--format", "conceptmap", *arguments).stdout.splitlines():
        ConceptMap.model_validate(json.loads(line))


def test_every_concept_map_is_valid_and_has_a_name_of_its_own(shipped: Ledger) -> None:
    told = [json.loads(text) for _, text in pages("conceptmap", shipped)]
    for one in told:
        ConceptMap.model_validate(one)
    assert len({one["id"] for one in told}) == len(told)


def test_a_profile_is_printed_with_its_own_codes_and_marks() -> None:
    told = run("--profile", str(DEMO)).stdout
    assert "| ~~dropped~~ PID-19 |" in told
    assert "| **added** ZPI-2 |" in told
    assert "| **added** 9 | `>` | unknown |" in told


def test_a_segment_or_a_table_that_there_is_not_is_refused() -> None:
    assert run("--segment", "XYZ").exit_code == 2
    assert run("--table", "HL79999").exit_code == 2


def test_the_accounting_counts_the_rows_of_the_guide_and_the_fields() -> None:
    told = run("--coverage").stdout
    assert "| segment | " in told
    assert "| PID | 40 | " in told
    assert run("--coverage", "--segment", "PID").stdout.count("\n") == 3


def test_the_pages_are_written_into_a_folder(tmp_path: Path) -> None:
    assert run("--out", str(tmp_path), "--segment", "PID").exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"PID.md", "README.md"}
    assert run("--out", str(tmp_path), "--format", "conceptmap").exit_code == 0
    assert (tmp_path / "table-hl70001.json").is_file()


# --- the pages -----------------------------------------------------------------------------------------


def test_the_pages_in_the_documentation_are_those_of_the_maps(shipped: Ledger) -> None:
    """``connector maps --out compliance/maps`` writes them anew."""
    wanted = shipped.chosen((), (), with_tables=False)
    made = {"README.md": index(wanted)} | {name: HEAD + text for name, text in pages("markdown", wanted)}
    there = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    assert there == made
