"""Code tables: the arrows, what refuses to load, and the shipped tables against their laws."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ConfigurationError
from connector.fhir import elements
from connector.mapping import codes
from connector.mapping.codes import Coded, CodeTable, TableError, names

GENDER = "http://hl7.org/fhir/administrative-gender"
NULL = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
TABLES = Path(codes.__file__).with_name("tables")

SEX = f"""
# HL70001 Administrative Sex
system {GENDER}
values male female other unknown
F  =  female  "Female"
M  =  male
O  =  other     # the one that goes back
A  >  other
X  <  unknown
"""


def text_of(name: str) -> str:
    return (TABLES / f"{name}.codes").read_text(encoding="utf-8")


def comments(name: str, mark: str) -> set[str]:
    """The codes that a table's comments of one kind name: ``# <mark>: A B C: why``."""
    found = re.findall(rf"^# {mark}: (.+?): .+$", text_of(name), re.MULTILINE)
    return {code for line in found for code in line.split()}


# --- reading ---------------------------------------------------------------------------------------


def test_the_arrows_say_which_way_a_code_goes() -> None:
    table = CodeTable.parse("SEX", SEX)
    assert table.to_fhir["F"] == Coded("female", GENDER, "Female")
    assert table.to_fhir["A"].code == "other"
    assert table.v2_code(GENDER, "other") == "O"
    assert table.v2_code(GENDER, "unknown") == "X"
    assert "X" not in table.to_fhir


def test_a_code_without_display_has_an_empty_one() -> None:
    assert CodeTable.parse("SEX", SEX).to_fhir["M"].display == ""


def test_without_a_system_the_code_alone_is_looked_up() -> None:
    table = CodeTable.parse("SEX", SEX)
    assert table.v2_code(None, "female") == "F"
    assert table.v2_code(NULL, "female") is None


def test_a_code_that_v2_cannot_tell_apart_is_not_kept() -> None:
    table = CodeTable.load("HL70004")
    act = table.system
    assert table.keeps(act, "IMP")
    assert table.v2_code(act, "ACUTE") == "I"
    assert not table.keeps(act, "ACUTE")
    assert not table.keeps(act, "no such code")


def test_a_line_may_name_a_system_of_its_own() -> None:
    table = CodeTable.parse("T", f'system {GENDER}\nM = male\nU = UNK @ {NULL} "unknown"\n')
    assert table.to_fhir["U"] == Coded("UNK", NULL, "unknown")
    assert table.v2_code(NULL, "UNK") == "U"
    assert table.v2_code(GENDER, "UNK") is None


def test_where_two_systems_share_a_code_the_tables_own_wins_without_system() -> None:
    rows = f"system {GENDER}\nA = x @ {NULL}\nB = x\nC = x @ urn:other\n"
    assert CodeTable.parse("T", rows).codes_to_v2 == {"x": "B"}


def test_the_signs_of_the_arrows_may_be_codes() -> None:
    table = CodeTable.parse("T", "system urn:x\n< = <\n> = >\n= > <\n")
    assert table.to_fhir["<"].code == "<"
    assert table.v2_code("urn:x", ">") == ">"
    assert table.to_fhir["="].code == "<"


def test_system_and_values_may_be_v2_codes() -> None:
    table = CodeTable.parse("T", "system urn:x\nsystem = a\nvalues = b\n")
    assert set(table.to_fhir) == {"system", "values"}


def test_a_display_may_hold_a_hash_and_a_code_too() -> None:
    table = CodeTable.parse("T", 'system urn:x\nQ#1 = q#1 "number #1"   # why\n')
    assert table.to_fhir["Q#1"] == Coded("q#1", "urn:x", "number #1")


def test_codes_are_compared_with_their_case() -> None:
    table = CodeTable.parse("T", "system urn:x\na = A\nA = a\n")
    assert (table.to_fhir["a"].code, table.v2_code("urn:x", "a")) == ("A", "A")


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ("system urn:x\nF = female\nW = female\n", 3),  # one FHIR code, two v2 codes
        ("system urn:x\nF = female\nW < female\n", 3),
        ("system urn:x\nF < female\nW < female\n", 3),
        ("system urn:x\nF = female\nF = male\n", 3),  # one v2 code, two FHIR codes
        ("system urn:x\nF = female\nF > male\n", 3),
        ("system urn:x\n\n# why\nF > female\nF > female\n", 5),
        ("F = female\n", 1),  # no system
        ("system urn:x\nF female\n", 2),
        ("system urn:x\nF == female\n", 2),
        ("system urn:x\nF = female Female\n", 2),
        ('system urn:x\nF = female "Female\n', 2),
        ("system urn:x\nF = female @\n", 2),
        ("system urn:x\nF = \n", 2),
        ("system urn:x urn:y\n", 1),
        ("system urn:x\nsystem urn:y\n", 2),
        ("system urn:x\nF = female\nvalues female\n", 3),  # too late to bind what stands above
        ("system urn:x\nvalues male\nvalues female\n", 3),
        ("system urn:x\nvalues male female\nF = femal\n", 3),  # outside a required binding
        (f"system {GENDER}\nvalues male\nM = male @ {NULL}\n", 3),
    ],
)
def test_a_table_that_contradicts_itself_refuses_to_load_and_names_the_line(rows: str, line: int) -> None:
    with pytest.raises(TableError) as caught:
        CodeTable.parse("T", rows)
    assert caught.value.location == f"T.codes:{line}"


def test_a_table_error_is_a_configuration_error() -> None:
    assert issubclass(TableError, ConfigurationError)


def test_a_table_that_does_not_exist_cannot_be_loaded() -> None:
    with pytest.raises(TableError, match="no such code table"):
        CodeTable.load("HL79999")


@pytest.mark.parametrize("name", ["../codes", "README", "", "HL70001.codes"])
def test_only_shipped_names_are_opened(name: str) -> None:
    with pytest.raises(TableError):
        CodeTable.load(name)


def test_a_shipped_table_is_read_once() -> None:
    assert CodeTable.load("HL70001") is CodeTable.load("HL70001")


# --- a partner's own codes -------------------------------------------------------------------------


def test_a_partners_code_goes_to_fhir_and_the_tables_own_comes_back() -> None:
    table = CodeTable.parse("SEX", SEX).extended({"1": "male", "2": "female"})
    assert table.to_fhir["2"] == Coded("female", GENDER, "Female")
    assert table.v2_code(GENDER, "female") == "F"


def test_a_partners_code_is_the_way_back_where_the_table_has_none() -> None:
    table = CodeTable.parse("T", "system urn:x\nA = a\n").extended({"B": "b", "BB": "b"})
    assert table.v2_code("urn:x", "b") == "B"
    assert table.v2_code(None, "b") == "B"


def test_a_partners_code_may_name_its_system() -> None:
    table = CodeTable.parse("T", f'system {GENDER}\nU = UNK @ {NULL} "unknown"\n')
    assert table.extended({"9": f"{NULL}|UNK"}).to_fhir["9"] == Coded("UNK", NULL, "unknown")
    assert table.extended({"9": "UNK"}).to_fhir["9"].system == NULL
    assert table.extended({"9": "urn:y|z"}).to_fhir["9"] == Coded("z", "urn:y")


def test_a_partners_meaning_of_a_code_takes_the_tables_place() -> None:
    table = CodeTable.parse("SEX", SEX).extended({"O": "unknown"})
    assert table.to_fhir["O"].code == "unknown"
    assert table.v2_code(GENDER, "other") is None  # O no longer means other, so nothing is written as O
    assert table.v2_code(GENDER, "unknown") == "X"


def test_saying_again_what_the_table_says_changes_nothing() -> None:
    table = CodeTable.parse("SEX", SEX)
    assert table.extended({"F": "female", "A": "other"}) == table


def test_a_partners_code_outside_a_required_binding_is_refused() -> None:
    with pytest.raises(TableError, match="does not allow"):
        CodeTable.load("HL70001").extended({"9": "unknwon"})
    with pytest.raises(TableError):
        CodeTable.load("HL70001").extended({"9": f"{NULL}|unknown"})


def test_extending_leaves_the_shipped_table_alone() -> None:
    before = dict(CodeTable.load("HL70001").to_fhir)
    CodeTable.load("HL70001").extended({"9": "unknown"})
    assert CodeTable.load("HL70001").to_fhir == before


_code = st.text(alphabet="ABab<=>#@", min_size=1, max_size=2)


@given(rows=st.lists(st.tuples(_code, st.sampled_from("=<>"), _code), max_size=8))
def test_whatever_loads_keeps_its_promises(rows: list[tuple[str, str, str]]) -> None:
    lines = [f"{v2} {arrow} {code}" for v2, arrow, code in rows if not v2.startswith("#")]
    try:
        table = CodeTable.parse("T", "\n".join(["system urn:x", *lines]))
    except TableError:
        return
    for v2, arrow, code in (line.split() for line in lines):
        if arrow in "=>":
            assert table.to_fhir[v2].code == code
        if arrow in "=<":
            assert table.v2_code("urn:x", code) == v2


# --- the shipped tables ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_a_shipped_table_says_what_it_is(name: str) -> None:
    table = CodeTable.load(name)
    number = re.escape(name.partition("-")[0])
    assert re.match(rf"# {number} \S.* (<->|>) \S+", text_of(name))
    assert table.system
    assert table.to_fhir or "HL7 leaves empty" in text_of(name)


@pytest.mark.parametrize("name", names())
def test_what_a_shipped_table_says_back_means_the_same(name: str) -> None:
    table = CodeTable.load(name)
    for coded in table.to_fhir.values():
        back = table.v2_code(coded.system, coded.code)
        if "# one way:" in text_of(name):
            assert back is None
        else:
            assert back is not None
            assert table.to_fhir[back][:2] == coded[:2]


@pytest.mark.parametrize("name", names())
def test_a_code_alone_finds_the_same_way_back(name: str) -> None:
    table = CodeTable.load(name)
    for (system, code), v2 in table.to_v2.items():
        if system == table.system:
            assert table.codes_to_v2[code] == v2


@pytest.mark.parametrize("name", [name for name in names() if CodeTable.load(name).values])
def test_a_code_that_fhir_requires_goes_back_or_has_a_reason(name: str) -> None:
    table = CodeTable.load(name)
    unsaid = {code for code in table.values if table.v2_code(table.system, code) is None}
    assert unsaid == comments(name, "not mapped to v2")


REQUIRED = [
    ("HL70001", "Patient", "gender"),
    ("HL70001", "RelatedPerson", "gender"),
    ("HL70003-status", "Encounter", "status"),
    ("HL70004-status", "Encounter", "status"),
    ("HL70038", "ServiceRequest", "status"),
    ("HL70085", "Observation", "status"),
    ("HL70119", "ServiceRequest", "status"),
    ("HL70123", "DiagnosticReport", "status"),
    ("HL70127-category", "AllergyIntolerance", "category"),
    ("HL70127-type", "AllergyIntolerance", "type"),
    ("HL70128-criticality", "AllergyIntolerance", "criticality"),
    ("HL70128-severity", "AllergyIntolerance.reaction", "severity"),
    ("HL70136-availability", "Specimen", "status"),
    ("HL70190-type", "Address", "type"),
    ("HL70190-use", "Address", "use"),
    ("HL70200", "HumanName", "use"),
    ("HL70201", "ContactPoint", "use"),
    ("HL70202", "ContactPoint", "system"),
    ("HL70278", "Appointment", "status"),
    ("HL70322", "Immunization", "status"),
    ("HL70485", "ServiceRequest", "priority"),
]


@pytest.mark.parametrize(("name", "type_name", "element"), REQUIRED)
def test_the_values_of_a_table_are_the_whole_of_fhirs_binding(
    name: str, type_name: str, element: str
) -> None:
    shape = elements.shape(type_name)
    assert shape is not None
    assert CodeTable.load(name).values == shape.elements[element].codes


@pytest.mark.parametrize("name", names())
def test_no_code_is_both_mapped_and_listed_as_not_mapped(name: str) -> None:
    assert not comments(name, "not mapped") & set(CodeTable.load(name).to_fhir)


@pytest.mark.parametrize("name", names())
def test_a_shipped_code_is_a_fhir_code_and_its_system_a_uri(name: str) -> None:
    table = CodeTable.load(name)
    for system, code in {coded[1::-1] for coded in table.to_fhir.values()} | set(table.to_v2):
        assert re.fullmatch(r"\S+( \S+)*", code)
        assert re.match(r"https?://|urn:", system)


def test_the_readme_lists_every_table_with_its_count() -> None:
    rows = re.findall(
        r"^\| (HL7\S+) \| [^|]+ \| [^|]+ \| (\d+) \|$", (TABLES / "README.md").read_text(), re.MULTILINE
    )
    assert {name: int(count) for name, count in rows} == {
        name: len(CodeTable.load(name).to_fhir) for name in names()
    }
