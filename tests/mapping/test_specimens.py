"""SPM, SAC and what OBR says of a specimen, and where it stands (guide: SPM[Specimen], OBR[Specimen])."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|||1^^^H^MR||Roe^Ann"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"
ORU, OML = "ORU^R01^ORU_R01", "OML^O21^OML_O21"


def seg(name: str, **fields: str) -> str:
    """A segment of numbered fields: ``seg("SPM", f4="BLD")``."""
    texts = {int(at[1:]): text for at, text in fields.items()}
    return "|".join((name, *(texts.get(n, "") for n in range(1, max(texts, default=0) + 1))))


def bundle_of(*segments: str, event: str = ORU) -> Json:
    return lawful(MADE, message(PID, *segments, event=event))


def specimen(*segments: str, **fields: str) -> Json:
    """The only specimen of an order."""
    said = ("ORC|NW|P1", "OBR|1|P1||A^^L", seg("SPM", **fields), *segments)
    return only(bundle_of(*said, event=OML), "Specimen")


def lost(*segments: str, event: str = ORU) -> list[str]:
    return MADE.to_fhir(message(PID, *segments, event=event)).lost


def test_a_specimen_has_the_numbers_of_both_sides_and_others() -> None:
    found = specimen(f2="S1&HIS^S2&LAB", f30="ACC1", f31="X1^^^OLD^XX", f32="SHIP1^CARRIER")
    kinds = [(one["type"]["coding"][0]["code"], one["value"]) for one in found["identifier"]]
    assert sorted(kinds) == [("FGN", "S2"), ("PGN", "S1"), ("SHIP", "SHIP1"), ("XX", "X1")]
    assert found["accessionIdentifier"] == {"value": "ACC1"}


@pytest.mark.parametrize(
    ("fields", "path", "value"),
    [
        ({"f4": "BLD"}, ("type", "coding", 0, "code"), "BLD"),
        ({"f7": "VENIP"}, ("collection", "method", "coding", 0, "code"), "VENIP"),
        ({"f8": "LA^Left arm^L"}, ("collection", "bodySite", "coding", 0, "display"), "Left arm"),
        ({"f11": "P^Patient^HL70369"}, ("extension", 0, "valueCodeableConcept", "coding", 0, "code"), "P"),
        ({"f12": "5^mL&&UCUM"}, ("collection", "quantity", "code"), "mL"),
        ({"f14": "cloudy~pale"}, ("note", 1, "text"), "pale"),
        ({"f15": "FRZ"}, ("extension", 0, "valueCodeableConcept", "coding", 0, "code"), "FRZ"),
        ({"f17": "20240101"}, ("collection", "collectedDateTime"), "2024-01-01"),
        ({"f17": "20240101^20240102"}, ("collection", "collectedPeriod", "end"), "2024-01-02"),
        ({"f18": "20240103"}, ("receivedTime",), "2024-01-03"),
        ({"f20": "Y"}, ("status",), "available"),
        ({"f21": "RB"}, ("condition", 0, "coding", 0, "system"), V2 + "0490"),
        ({"f24": "CLOT"}, ("condition", 0, "coding", 0, "system"), V2 + "0493"),
        ({"f6": "EDTK", "f27": "TUBE^Tube^L"}, ("container", 0, "type", "coding", 0, "code"), "TUBE"),
    ],
)
def test_a_field_of_a_specimen_has_its_element(fields: dict[str, str], path: Any, value: str) -> None:
    node: Any = specimen(**({"f2": "S1"} | fields))
    for step in path:
        node = node[step]
    assert node == value


def test_what_a_specimen_comes_from_is_named_by_its_number() -> None:
    (parent,) = specimen(f2="S1", f3="S0&HIS")["parent"]
    assert (parent["type"], parent["identifier"]["value"]) == ("Specimen", "S0")


def test_containers_have_numbers_and_the_one_of_the_specimen_has_none() -> None:
    sac = seg("SAC", f3="C1^LAB", f21="10", f22="7", f24="mL^^UCUM", f27="EDTK")
    own, other = specimen(sac, f2="S1", f27="TUBE^Tube^L")["container"]
    assert own == {"type": {"coding": [{"code": "TUBE", "display": "Tube", "system": "urn:id:L"}]}}
    assert other["identifier"] == [{"value": "C1", "system": "urn:id:LAB"}]
    assert (other["capacity"]["value"], other["specimenQuantity"]["value"]) == (10, 7)
    assert other["additiveCodeableConcept"]["coding"][0]["code"] == "EDTK"


def test_a_container_without_a_number_is_lost() -> None:
    segments = ("ORC|NW|P1", "OBR|1|P1||A^^L", "SPM|1|S1", seg("SAC", f21="10", f24="mL"))
    assert lost(*segments, event=OML) == ["SAC-21", "SAC-24"]


def test_an_order_refers_to_its_specimens() -> None:
    bundle = bundle_of("ORC|NW|P1", "OBR|1|P1||A^^L", "SPM|1|S1", "SPM|2|S2", event=OML)
    assert len(only(bundle, "ServiceRequest")["specimen"]) == 2


def test_a_report_refers_to_its_specimen_and_what_is_observed_of_it_is_no_result() -> None:
    bundle = bundle_of("OBR|1||F1|A^^L", "OBX|1|NM|A^^L||5", "SPM|1|S1", "OBX|1|ST|COL^^L||red")
    report, found = only(bundle, "DiagnosticReport"), only(bundle, "Specimen")
    value, colour = of_type(bundle, "Observation")
    assert report["specimen"] == [{"reference": "Specimen/" + found["id"]}]
    assert report["result"] == [{"reference": "Observation/" + value["id"]}]
    assert colour["focus"] == report["specimen"]


def test_orders_stand_behind_their_specimen() -> None:
    bundle = bundle_of(
        "SPM|1|S1", "OBX|1|ST|COL^^L||red", "OBR|1||F1|A^^L", "OBX|1|NM|A^^L||5",
        "SPM|2|S2", "OBR|1||F2|B^^L",
        event="OUL^R22^OUL_R22",
    )  # fmt: skip
    first, second = of_type(bundle, "Specimen")
    reports = of_type(bundle, "DiagnosticReport")
    assert [one["specimen"][0]["reference"][9:] for one in reports] == [first["id"], second["id"]]
    colour, value = of_type(bundle, "Observation")
    assert colour["focus"] == reports[0]["specimen"]
    assert value["specimen"] == reports[0]["specimen"][0]
    assert reports[0]["result"] == [{"reference": "Observation/" + value["id"]}]


def test_an_order_of_a_specimen_refers_to_it() -> None:
    bundle = bundle_of("SPM|1|S1", "ORC|NW|P1", "OBR|1|P1||A^^L", event="OML^O33^OML_O33")
    found = only(bundle, "ServiceRequest")["specimen"]
    assert found == [{"reference": "Specimen/" + only(bundle, "Specimen")["id"]}]


# --- OBR --------------------------------------------------------------------------------------------------


def test_what_obr_says_of_a_specimen_is_the_specimen_of_its_request() -> None:
    bundle = bundle_of(
        seg(
            "OBR", f3="F1", f4="A^^L", f7="202401010800", f9="5^mL", f10="7^Doe^Jo", f14="20240102",
            f15="BLD&Blood&HL70487^EDTK^pale^LA&Left arm&HL70163^^FRZ",
        ),
        "OBX|1|NM|A^^L||5",
    )  # fmt: skip
    found = only(bundle, "Specimen")
    assert found["request"] == [{"reference": "ServiceRequest/" + only(bundle, "ServiceRequest")["id"]}]
    assert found["type"]["coding"][0]["code"] == "BLD"
    assert found["note"] == [{"text": "pale"}]
    assert found["container"][0]["additiveCodeableConcept"]["coding"][0]["code"] == "EDTK"
    assert found["collection"]["collectedDateTime"] == "2024-01-01T08:00:00+00:00"
    assert found["collection"]["quantity"] == {"value": 5, "unit": "mL"}
    assert only(bundle, "DiagnosticReport")["effectiveDateTime"] == "2024-01-01T08:00:00+00:00"
    assert only(bundle, "Observation")["specimen"] == {"reference": "Specimen/" + found["id"]}


def test_a_collectors_comments_are_notes_behind_that_of_the_source() -> None:
    obr = seg("OBR", f3="F1", f4="A^^L", f15="BLD^^pale", f39="haemolysed~hard to draw")
    text = message(PID, obr, event=ORU)
    bundle = lawful(MADE, text)
    notes = only(bundle, "Specimen")["note"]
    assert [one["text"] for one in notes] == ["pale", "haemolysed", "hard to draw"]
    notes[2]["text"] = "easy to draw"
    assert MADE.to_v2(bundle, text).message == text.replace("hard to", "easy to")


def test_a_time_alone_makes_no_specimen() -> None:
    assert not of_type(bundle_of(seg("OBR", f4="A^^L", f7="20240101")), "Specimen")


def test_a_specimen_of_fhir_that_has_a_number_gets_a_segment_of_its_own() -> None:
    bundle = bundle_of("ORC|NW|P1", "OBR|1|P1||A^^L", "SPM|1|S1&HIS", event=OML)
    only(bundle, "Specimen")["request"] = only(bundle, "ServiceRequest")["specimen"]
    assert "\rSPM|1|S1&HIS" in MADE.to_v2(bundle).message
