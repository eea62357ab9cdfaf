"""The verbs that say a partner's own fields: extension and identifier."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import Translator
from connector.mapping.verbs import Place, known_rows, known_tables
from tests.mapping.profiles import lawful, lines, message, of_type, only, refusal, translator

DEMO = Path(__file__).parents[2] / "profiles" / "demo" / "profile.toml"
PID = "PID|1||123^^^STV^MR||Moe^Jo||19610615|F|||||||||||123-45-6789"
URL = "https://st-vincent.example/fhir/meal"


def _extension(source: str, kind: str = "string", to: str = "Patient", url: str = URL) -> str:
    return f'[[mapping.extension]]\nfrom = "{source}"\nto = "{to}"\nurl = "{url}"\ntype = "{kind}"\n'


def _identifier(source: str, to: str = "Patient", system: str = "urn:oid:1.2.3", kind: str = "") -> str:
    type_of = f'type = "{kind}"\n' if kind else ""
    return f'[[mapping.identifier]]\nfrom = "{source}"\nto = "{to}"\nsystem = "{system}"\n{type_of}'


# --- extension and identifier ------------------------------------------------------------------------------


def test_the_demo_profile_says_the_fields_of_its_z_segment() -> None:
    made = Translator.load(DEMO)
    text = message(PID, "ZPI||VEG^vegetarian^STVMEAL|||LK-9", "PV1|1|I")
    there = made.to_fhir(text)
    patient = only(there.bundle, "Patient")
    assert patient["identifier"][-1] == {"system": "urn:oid:2.999.1.3", "value": "LK-9"}
    assert patient["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "VEG"
    assert there.lost == ["PID-19"]
    lawful(made, message(PID.removesuffix("|||||||||||123-45-6789"), "ZPI||VEG^^STVMEAL|||LK-9", "PV1|1|I"))


@pytest.mark.parametrize(
    ("kind", "sent", "name", "value"),
    [
        ("string", "so so", "valueString", "so so"),
        ("code", "A1", "valueCode", "A1"),
        ("date", "20261123", "valueDate", "2026-11-23"),
        ("dateTime", "20261123101500+0100", "valueDateTime", "2026-11-23T10:15:00+01:00"),
        ("integer", "42", "valueInteger", 42),
        ("boolean", "Y", "valueBoolean", True),
        ("CodeableConcept", "A^Word^L", "valueCodeableConcept", None),
    ],
)
def test_an_extension_has_the_type_that_the_profile_names(
    kind: str, sent: str, name: str, value: object, tmp_path: Path
) -> None:
    there = lawful(translator(tmp_path, _extension("ZPI-2", kind)), message("PID|1||1||Moe", f"ZPI||{sent}"))
    (extension,) = only(there, "Patient")["extension"]
    assert extension["url"] == URL
    assert value is None or extension[name] == value


def test_a_text_that_is_not_of_its_type_is_lost(tmp_path: Path) -> None:
    said = translator(tmp_path, _extension("ZPI-2", "date")).to_fhir(message(PID, "ZPI||soon"))
    assert "extension" not in only(said.bundle, "Patient")
    assert said.lost == ["ZPI-2"]


def test_components_of_one_field_become_elements_of_their_own(tmp_path: Path) -> None:
    toml = (
        _extension("ZPI-3.1") + _extension("ZPI-3.2.2", url=URL + "/2") + _identifier("ZPI-3.4", kind="MR")
        + _extension("ZPI-3.5", "CodeableConcept", url=URL + "/5")
    )  # fmt: skip
    made = translator(tmp_path, toml)
    text = message("PID|1||1||Moe", "ZPI|||a^x&b^c^d^E&Word&L")
    said = made.to_fhir(text)
    patient = only(said.bundle, "Patient")
    assert {one["url"][len(URL) :]: one.get("valueString") for one in patient["extension"]} == {
        "": "a", "/2": "b", "/5": None,
    }  # fmt: skip
    assert patient["extension"][2]["valueCodeableConcept"]["coding"][0]["code"] == "E"
    assert patient["identifier"][1]["value"] == "d"
    assert sorted(said.lost) == ["ZPI-3.2.1", "ZPI-3.3"]
    assert made.to_v2(said.bundle, text).message == text
    patient["extension"][1]["valueString"] = "B"
    patient["identifier"][1]["value"] = "D"
    assert lines(made.to_v2(said.bundle, text).message)["ZPI"] == "ZPI|||a^x&B^c^D^E&Word&L"
    assert lines(made.to_v2(said.bundle).message)["ZPI"] == "ZPI|||a^&B^^D^E&Word&L"


def test_an_identifier_of_an_own_field_does_not_go_to_the_usual_one(tmp_path: Path) -> None:
    made = translator(tmp_path, _identifier("ZPI-2"))
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:1.2.3", "value": "L"}, {"system": "urn:id:STV", "value": "1"}],
    }
    back = made.to_v2(patient)
    assert lines(back.message)["PID"] == "PID|1||1^^^STV"
    assert lines(back.message)["ZPI"] == "ZPI||L"
    assert back.lost == []


def test_an_own_field_that_is_taken_out_in_fhir_is_taken_out_in_v2(tmp_path: Path) -> None:
    made = translator(tmp_path, _extension("ZPI-2"))
    text = message("PID|1||1||Moe", "ZPI|1|x")
    there = made.to_fhir(text).bundle
    del only(there, "Patient")["extension"]
    assert lines(made.to_v2(there, text).message)["ZPI"] == 'ZPI|1|""'


def test_a_z_segment_belongs_to_the_visit_or_the_result_that_it_follows(tmp_path: Path) -> None:
    toml = _extension("ZVI-1", to="Encounter") + _extension("ZOB-1", to="Observation")
    made = translator(tmp_path, toml)
    rest = ("OBX|1|ST|A||x", "ZOB|one", "OBX|2|ST|B||y", "ZOB|two")
    there = lawful(made, message("PID|1||1||Moe", "PV1|1|I", "ZVI|v", "OBR|1|||GLU", *rest, event="ORU^R01"))
    assert only(there, "Encounter")["extension"][0]["valueString"] == "v"
    said = [one["extension"][0]["valueString"] for one in of_type(there, "Observation")]
    assert said == ["one", "two"]


def test_a_standard_field_that_the_maps_leave_out_can_be_added(tmp_path: Path) -> None:
    made = translator(tmp_path, _extension("PID-31"))
    there = lawful(made, message("PID|1||1||Moe" + "|" * 26 + "Y"))
    assert only(there, "Patient")["extension"] == [{"url": URL, "valueString": "Y"}]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (_extension("ZPI-2", to="NutritionOrder"), "p.toml:4: no segment speaks of a NutritionOrder"),
        (_extension("NK1-29"), "p.toml:2: NK1 and PID do not speak of the same resource"),
        (_extension("ZPI-2") + _identifier("ZPI-2.1"), "p.toml:8: this place is taken by another one"),
        (_extension("ZPI-2") + _extension("ZPI-3", to="Encounter"), "p.toml:7: ZPI and PV1 do not speak"),
        ('mapping.drop = ["PID-32"]\n', "p.toml:2: the maps have no PID-32"),
        ('v2.messages = ["QBP^Q11"]\n', "p.toml:2: there is no map for QBP^Q11"),
        ('mapping.codes.HL79999.A = "b"\n', "p.toml:2: there is no code table HL79999"),
        (_extension("PID-5.1"), "p.toml:3: the maps translate PID-5.1 already"),
    ],
)
def test_what_does_not_exist_refuses_to_load_with_its_line(toml: str, said: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, toml).startswith(said)


def test_the_maps_say_what_there_is() -> None:
    assert {"PID-3", "MSH-12", "OBX-5", "PID-24", "NTE-3", "OBX-1"} <= known_rows()
    assert {"HL70001", "HL70190"} <= known_tables()
    assert Place.of("ZPI-3.1.2") == ("ZPI", 3, 1, 2)


def test_importing_the_package_imports_nothing_else() -> None:
    import subprocess
    import sys

    code = "import connector, sys; print(sorted(m for m in sys.modules if m.startswith('connector')))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "['connector']"
