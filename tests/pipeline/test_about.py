"""By what people find a message: the same in v2 and in FHIR, and nothing else of it."""

from __future__ import annotations

from connector.hl7v2.tree import Message
from connector.pipeline import about
from connector.store import About, Kind

KNOWN = {"STV": "https://stv.example/mrn"}
MSH = "MSH|^~\\&|A|B|C|D|20261123||ORM^O01|C1|P|2.5.1\r"


def v2(*segments: str) -> set[About]:
    return set(about.in_v2(Message.parse(MSH + "\r".join(segments) + "\r"), KNOWN)) - {
        About(Kind.CONTROL_ID, "C1")
    }


def test_the_control_id_is_what_a_message_is_about() -> None:
    assert about.in_v2(Message.parse(MSH), KNOWN) == {About(Kind.CONTROL_ID, "C1")}


def test_a_patient_is_known_by_every_number_and_its_authority() -> None:
    found = v2("PID|1|OLD|7^^^STV^MR~8^^^LAB&1.2.3&ISO~9^^^WEST||^|||||||||||||A1^^^BILL|123-45-6789", "")
    assert found == {
        About(Kind.MRN, "OLD"),
        About(Kind.MRN, "7", "https://stv.example/mrn"),
        About(Kind.MRN, "8", "urn:oid:1.2.3"),
        About(Kind.MRN, "9", "urn:id:WEST"),
        About(Kind.ACCOUNT, "A1", "urn:id:BILL"),
    }


def test_orders_and_specimens_have_accession_numbers_and_merges_two_patients() -> None:
    found = v2(
        "MRG|6^^^STV||B2", "ORC|NW|P1|F1^LAB", 'OBR|1|P1|F1^LAB^1.2.3^ISO|||||||||||||||X\\T\\1|""', "IPC|I1"
    )
    assert found == {
        About(Kind.MRN, "6", "https://stv.example/mrn"),
        About(Kind.ACCOUNT, "B2"),
        About(Kind.ACCESSION, "F1", "urn:id:LAB"),
        About(Kind.ACCESSION, "F1", "urn:oid:1.2.3"),
        About(Kind.ACCESSION, "X&1"),
        About(Kind.ACCESSION, "I1"),
    }


def test_fhir_says_the_same() -> None:
    mrn = {"system": "https://stv.example/mrn", "value": "7", "type": {"coding": [{"code": "MR"}]}}
    ssn = {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "1", "type": {"coding": [{"code": "SS"}]}}
    account = {"value": "A1", "type": {"coding": [{"code": "AN"}]}}
    filler = {"system": "urn:id:LAB", "value": "F1", "type": {"coding": [{"code": "FILL"}]}}
    bundle = {
        "resourceType": "Bundle",
        "identifier": {"value": "B9"},
        "entry": [
            {"resource": {"resourceType": "Patient", "identifier": [mrn, ssn, account]}},
            {
                "resource": {
                    "resourceType": "ServiceRequest",
                    "identifier": [filler, {"value": "placer"}],
                    "subject": {"reference": "Patient/x", "identifier": {"value": "8"}},
                }
            },
            {"resource": {"resourceType": "Specimen", "accessionIdentifier": {"value": "S1"}}},
            {"resource": {"resourceType": "Account", "identifier": [{"value": "A2"}]}},
        ],
    }
    assert about.in_fhir(bundle) == {
        About(Kind.CONTROL_ID, "B9"),
        About(Kind.MRN, "7", "https://stv.example/mrn"),
        About(Kind.MRN, "8"),
        About(Kind.ACCOUNT, "A1"),
        About(Kind.ACCOUNT, "A2"),
        About(Kind.ACCESSION, "F1", "urn:id:LAB"),
        About(Kind.ACCESSION, "S1"),
    }


def test_odd_resources_are_about_nothing() -> None:
    odd = {"resourceType": "Patient", "identifier": [7, {"value": 7}, {"value": " "}, {"type": "x"}]}
    assert about.in_fhir({"resourceType": "Bundle", "entry": [odd, None, [odd]]}) == frozenset()


def test_a_person_names_an_authority_as_v2_or_as_fhir_does() -> None:
    expected = {About(Kind.MRN, "7", "https://stv.example/mrn")}
    assert about.asked(Kind.MRN, "7^^^STV", [KNOWN]) == expected
    assert about.asked(Kind.MRN, "7^^^https://stv.example/mrn", [{}]) == expected
    assert about.asked(Kind.MRN, "7^^^&1.2.3&ISO", [KNOWN]) == {About(Kind.MRN, "7", "urn:oid:1.2.3")}
    assert about.asked(Kind.MRN, "7", [KNOWN]) == {About(Kind.MRN, "7")}
    assert len(about.asked(Kind.MRN, "7^^^STV", [KNOWN, {}])) == 2
