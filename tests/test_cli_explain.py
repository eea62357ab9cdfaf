"""``connector translate --explain``: every element with its place and its row, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from connector import Translator
from tests.profile.planted import DEMO
from tests.test_cli import ADMIT, DAY, run

MESSAGES: Final = [
    path for path in sorted(DAY.glob("*.hl7")) if path.name not in ("07-person-latin1.hl7", "10-broken.hl7")
]


def explained(*args: str | Path, given: bytes | str = b"") -> list[str]:
    result = run("translate", "--explain", *args, given=given)
    assert result.exit_code == 0, result.stderr
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def elements(node: Any, at: str = "") -> list[str]:
    if isinstance(node, dict):
        return [one for name, child in node.items() for one in elements(child, f"{at}.{name}")]
    if isinstance(node, list):
        return [one for n, child in enumerate(node) for one in elements(child, f"{at}[{n}]")]
    return [at]


@pytest.mark.parametrize(
    "line",
    [
        "Patient.gender PID-8 PID-8 IS -> Patient.gender",
        "Patient.name[0].family PID-5.1 PID-5 XPN.1 -> HumanName.family",
        "Bundle.timestamp MSH-7 MSH-7 TS.1 -> Bundle.timestamp",
    ],
)
def test_an_element_is_told_with_its_place_and_its_row(line: str) -> None:
    assert line in explained(given=ADMIT)


def test_the_second_repetition_is_told_as_such() -> None:
    sent = "MSH|^~\\&|A|B|||20260101||ADT^A08|1|P|2.5\rPID|||1^^^X~2^^^Y||Doe\r"
    assert any(line.startswith("Patient.identifier[1].value PID-3(2).1 ") for line in explained(given=sent))


def test_what_a_profile_adds_is_told_as_well() -> None:
    said = explained("--profile", DEMO, DAY / "06-z-segment.hl7")
    assert any(" ZPI-" in line for line in said)
    assert not any("PID-19" in line for line in said)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_element_of_the_bundle_is_told(path: Path) -> None:
    text = path.read_bytes().decode()
    translator = Translator.load(DEMO)
    told = {one.element.partition(".")[2] for one in translator.explain(text)}
    for entry in translator.to_fhir(text).bundle["entry"]:
        named = {one[1:] for one in elements(entry["resource"])} - {"resourceType", "id"}
        assert named <= told


def test_no_value_of_the_message_is_told() -> None:
    said = "\n".join(explained(given=ADMIT))
    for text in ("Mustermann", "Gruber", "1974"):
        assert text not in said


def test_a_message_is_told_place_by_place() -> None:
    bundle = run("translate", given=ADMIT).stdout
    said = explained("--to", "v2", given=bundle)
    assert any(line.startswith("PID-8 Patient.gender ") for line in said)
    assert any(line.startswith("PID-5.1 Patient.name[0].family ") for line in said)


def test_what_cannot_be_translated_cannot_be_explained() -> None:
    result = run("translate", "--explain", DAY / "10-broken.hl7")
    assert result.exit_code == 1
    assert "SegmentSequence" in result.stderr
