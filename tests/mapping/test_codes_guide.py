"""The code tables against the concept maps of the v2-to-FHIR guide, where its folder lies beside this one."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from connector.mapping import codes
from connector.mapping.codes import CodeTable
from tests.guide.tables import TABLES as SHIPPED
from tests.guide.tables import UNSAID

GUIDE = Path(__file__).resolve().parents[3] / "shared" / "v2-to-fhir" / "mappings" / "codesystems"
TABLES = Path(codes.__file__).with_name("tables")

pytestmark = pytest.mark.skipif(
    not GUIDE.is_dir(), reason="the guide's folder ../shared/v2-to-fhir is not there"
)


def maps() -> dict[str, Path]:
    """The guide's concept maps by name."""
    return {path.name[len("HL7 Concept Map_ ") : -len(" - Sheet1.csv")]: path for path in GUIDE.glob("*.csv")}


def rows(name: str) -> list[tuple[str, str, str]]:
    """A concept map as (v2 code, FHIR code, FHIR system); ``Â`` and hard blanks are typing accidents."""
    with maps()[name].open(encoding="utf-8", newline="") as file:
        cells = [[cell.strip(" \xa0\xc2\n\t") for cell in row] for row in csv.reader(file)][2:]
    return [
        (row[0], row[6], next((cell for cell in row[7:] if "://" in cell or cell.startswith("urn:")), ""))
        for row in cells
    ]


def text_of(table: str) -> str:
    return (TABLES / f"{table}.codes").read_text(encoding="utf-8")


def not_mapped(table: str) -> set[str]:
    found = re.findall(r"^# not mapped: (.+?): .+$", text_of(table), re.MULTILINE)
    return {code for line in found for code in line.split()}


def test_every_concept_map_with_a_pair_of_codes_is_a_table() -> None:
    paired = {name for name in maps() if any(v2 and fhir for v2, fhir, _ in rows(name))}
    assert paired == set(SHIPPED) & paired | UNSAID


def test_a_concept_map_that_is_no_table_is_named_in_the_readme() -> None:
    readme = (TABLES / "README.md").read_text(encoding="utf-8")
    for name in set(maps()) - set(SHIPPED):
        assert f"*{name}*" in readme or (name.startswith("Requested") and "*Requested...*" in readme)


@pytest.mark.parametrize(("name", "table"), SHIPPED.items())
def test_every_v2_code_of_the_guide_is_mapped_or_has_a_reason(name: str, table: str) -> None:
    sent = {word for v2, _, _ in rows(name) for word in v2.split()[:1]}
    assert sent <= set(CodeTable.load(table).to_fhir) | not_mapped(table)


@pytest.mark.parametrize(("name", "table"), SHIPPED.items())
def test_where_a_table_differs_from_the_guide_it_says_so(name: str, table: str) -> None:
    ours = CodeTable.load(table).to_fhir
    for v2, fhir, system in rows(name):
        if v2 and fhir and ours.get(v2, ("", ""))[:2] != (fhir, system):
            said = [
                line
                for line in text_of(table).splitlines()
                if "guide" in line or line.startswith("# not mapped")
            ]
            assert said, f"{v2} differs and nothing says why"


@pytest.mark.parametrize(("name", "table"), SHIPPED.items())
def test_no_reason_is_left_over_for_a_code_the_guide_does_not_have(name: str, table: str) -> None:
    sent = {v2.split()[0] for v2, _, _ in rows(name) if v2}
    if sent:
        assert not_mapped(table) <= sent
