"""``connector translate --explain``: every element with its place, every place with its element."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from connector import Translator
from connector.commands.origins import FOLLOWS, origins
from tests.profile.planted import DEMO
from tests.test_cli import ADMIT, DAY, run

MESSAGES: Final = [
    path for path in sorted(DAY.glob("*.hl7")) if path.name not in ("07-person-latin1.hl7", "10-broken.hl7")
]


def explained(*args: str | Path, given: bytes | str = b"") -> list[str]:
    result = run("translate", "--explain", *args, given=given)
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


def elements(node: Any, at: str = "") -> list[str]:
    if isinstance(node, dict):
        return [one for name, child in node.items() for one in elements(child, f"{at}.{name}")]
    if isinstance(node, list):
        return [one for n, child in enumerate(node) for one in elements(child, f"{at}[{n}]")]
    return [at]


@pytest.mark.parametrize(
    "line",
    [
        ".gender  <-  PID-8  (PID-8 <-> Patient)",
        ".name[0].family  <-  PID-5.1  (PID-5 <-> Patient.name)",
        ".birthDate  <-  PID-7  (PID-7 <-> Patient)",
        ".id  <-  the partner and the business identifiers",
        "Bundle.timestamp  <-  MSH-7  (MSH-7 <-> Bundle)",
    ],
)
def test_an_element_is_told_with_its_place_and_its_row(line: str) -> None:
    assert any(found.endswith(line) for found in explained(given=ADMIT))


def test_each_observation_is_told_with_its_own_segment() -> None:
    said = explained(DAY / "05-lab-result.hl7")
    values = [line for line in said if ".valueQuantity.value  <-" in line]
    assert "<-  OBX-5  " in values[0]
    assert "<-  OBX[2]-5  " in values[1]
    assert any(".valueQuantity.unit  <-  OBX[2]-6  " in line for line in said)


def test_the_second_repetition_is_told_as_such() -> None:
    sent = "MSH|^~\\&|A|B|||20260101||ADT^A08|1|P|2.5\rPID|||1^^^X~2^^^Y||Doe\r"
    said = explained(given=sent)
    assert any(".identifier[1].value  <-  PID-3(2).1  " in line for line in said)
    assert any(".identifier[1].system  <-  PID-3(2).4  " in line for line in said)


def test_what_a_profile_adds_is_told_as_well() -> None:
    said = explained("--profile", DEMO, DAY / "06-z-segment.hl7")
    assert any(line.endswith("<-  ZPI-2.1  (ZPI-2 <-> Patient)") for line in said)
    assert not any("PID-19" in line for line in said)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_element_of_the_bundle_is_told(path: Path) -> None:
    text = path.read_bytes().decode()
    translator = Translator.load(DEMO)
    told = {(one.reference, one.element) for one in origins(translator, text)}
    for entry in translator.to_fhir(text).bundle["entry"]:
        resource = entry["resource"]
        reference = f"{resource['resourceType']}/{resource['id']}"
        named = {one[1:] for one in elements(resource)} - {"resourceType"}
        assert named <= {element for at, element in told if at == reference}


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_most_elements_have_a_place_and_the_others_a_reason(path: Path) -> None:
    found = origins(Translator.load(DEMO), path.read_bytes().decode())
    assert sum(1 for one in found if one.row == FOLLOWS) < len(found) / 3
    assert all(one.row for one in found)


def test_no_value_of_the_message_is_told() -> None:
    said = "\n".join(explained(given=ADMIT))
    for text in ("Mustermann", "Gruber", "1974"):
        assert text not in said


def test_a_message_is_told_place_by_place() -> None:
    bundle = run("translate", given=ADMIT).stdout
    said = explained("--to", "v2", given=bundle)
    assert "PID-8  <-  Patient.gender  (PID-8 <-> Patient)" in said
    assert "PID-5.1  <-  Patient.name[0].family  (PID-5 <-> Patient.name)" in said
    assert "MSH-12  <-  the profile, or what every message has" in said


def test_what_the_prior_message_said_already_is_told_so() -> None:
    bundle = json.loads(run("translate", given=ADMIT).stdout)
    patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    patient["gender"] = "other" if patient.get("gender") != "other" else "female"
    said = explained("--prior", DAY / "01-admit.hl7", given=json.dumps(bundle))
    assert "PID-8  <-  Patient.gender  (PID-8 <-> Patient)" in said
    assert "PID-7  <-  the prior message" in said


def test_what_cannot_be_translated_cannot_be_explained() -> None:
    result = run("translate", "--explain", DAY / "10-broken.hl7")
    assert result.exit_code == 1
    assert "SegmentSequence" in result.stderr
