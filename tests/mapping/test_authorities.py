"""Who assigned an identifier: what its system does not bring back is an identifier of the assigner."""

from __future__ import annotations

from typing import Any

import pytest

from connector.hl7v2.tree import Message
from tests.shipped import TRANSLATOR as MADE

Json = dict[str, Any]


def typed(value: str, code: str) -> Json:
    system = "http://terminology.hl7.org/CodeSystem/v2-0301"
    return {"identifier": {"type": {"coding": [{"system": system, "code": code}]}, "value": value}}


def said(field: str) -> tuple[Json, list[str], str]:
    """The identifier of a patient, what is lost of it, and PID-3 as it goes back without a prior."""
    made = MADE.to_fhir(f"MSH|^~\\&|A|B|||20240101||ADT^A08|1|P|2.5.1\rPID|||{field}||Moe^Ola\r")
    patient = next(e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    pid = Message.parse(MADE.to_v2(made.bundle).message).first("PID")
    assert pid is not None
    return patient["identifier"][0], [at for at in made.lost if at.startswith("PID")], pid.field(3)


def test_a_number_that_is_local_is_the_assigners_identifier() -> None:
    identifier, lost, back = said("17^^^NIST&372524&L^MR")
    assert identifier["system"] == "urn:id:NIST"
    assert identifier["assigner"] == typed("372524", "L")
    assert (lost, back) == ([], "17^^^NIST&372524&L^MR")


def test_an_authority_without_a_name_is_its_number_alone() -> None:
    identifier, lost, back = said("17^^^&372526&L^MR")
    assert "system" not in identifier
    assert identifier["assigner"] == typed("372526", "L")
    assert (lost, back) == ([], "17^^^&372526&L^MR")


def test_a_guid_stays_one() -> None:
    identifier, lost, back = said("17^^^H&5d8f2d0a-2f5e-4c43-9d57-3c9a3f1f6d11&GUID^MR")
    assert identifier["system"] == "urn:uuid:5d8f2d0a-2f5e-4c43-9d57-3c9a3f1f6d11"
    assert identifier["assigner"] == {"display": "H"} | typed("5d8f2d0a-2f5e-4c43-9d57-3c9a3f1f6d11", "GUID")
    assert (lost, back) == ([], "17^^^H&5d8f2d0a-2f5e-4c43-9d57-3c9a3f1f6d11&GUID^MR")


def test_a_name_that_is_a_uri_keeps_the_number_beside_it() -> None:
    identifier, lost, back = said("17^^^https://h.example/ids&three&DNS^MR")
    assert (identifier["system"], identifier["assigner"]) == ("https://h.example/ids", typed("three", "DNS"))
    assert (lost, back) == ([], "17^^^https://h.example/ids&three&DNS^MR")


@pytest.mark.parametrize(("authority", "gone"), [("H&&ISO", "PID-3.4.3"), ("H&1.2&no code ", "PID-3.4.2")])
def test_a_sort_without_a_number_and_one_that_is_no_code_are_listed(authority: str, gone: str) -> None:
    identifier, lost, _ = said(f"17^^^{authority}^MR")
    assert "assigner" not in identifier
    assert gone in lost


def test_an_assigner_that_fhir_names_by_a_number_of_another_system_is_not_said() -> None:
    patient = {
        "resourceType": "Patient",
        "identifier": [
            {
                "system": "urn:id:H",
                "value": "17",
                "assigner": {"identifier": {"system": "urn:x", "value": "9"}},
            }
        ],
        "name": [{"family": "Moe"}],
    }
    header = {"resourceType": "MessageHeader", "eventCoding": {"code": "A08"}, "source": {"name": "A"}}
    entries = [{"resource": header}, {"resource": patient}]
    made = MADE.to_v2({"resourceType": "Bundle", "type": "message", "entry": entries})
    assert "|17^^^H|" in made.message
    assert any("assigner" in at for at in made.lost)
