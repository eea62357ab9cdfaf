"""OML, OMG and ORM: orders, their state, their numbers, and back (guide: OML_O21, ORM_O01)."""

from __future__ import annotations

import pytest

from tests.mapping.orders import MADE, PID, V2, control, lost, order, request, seg
from tests.mapping.profiles import Json, lawful, message, of_type, only

# --- what it speaks of ------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["OML^O21^OML_O21", "OMG^O19^OMG_O19", "ORM^O01^ORM_O01"])
def test_an_order_is_a_request_and_no_report(event: str) -> None:
    bundle = order(seg("ORC", f1="NW", f2="P1^HIS"), "OBR|1|P1^HIS||718-7^Hb^LN", event=event)
    asked = only(bundle, "ServiceRequest")
    assert (asked["status"], asked["intent"]) == ("active", "order")
    assert asked["code"]["coding"][0]["code"] == "718-7"
    assert asked["subject"]["reference"] == "Patient/" + only(bundle, "Patient")["id"]
    assert not of_type(bundle, "DiagnosticReport")


def test_an_order_of_a_control_alone_is_an_order_too() -> None:
    assert request("ORC|NW|P1^HIS")["identifier"][0]["value"] == "P1"


def test_each_order_has_its_own_control() -> None:
    bundle = order("ORC|NW|P1^HIS", "OBR|1|P1^HIS||A^^L", "ORC|CA|P2^HIS", "OBR|2|P2^HIS||B^^L")
    assert [one["status"] for one in of_type(bundle, "ServiceRequest")] == ["active", "revoked"]


def test_previous_results_are_a_report_of_their_own_and_of_no_visit() -> None:
    bundle = order(
        "PV1|1|I||||||||||||||||V1",
        "ORC|NW|P1^HIS",
        "OBR|1|P1^HIS||A^^L",
        "ORC|PR|P0^HIS",
        seg("OBR", f1="2", f2="P0^HIS", f4="A^^L", f25="F"),
        "OBX|1|NM|A^^L||5|||||F",
    )
    new, old = of_type(bundle, "ServiceRequest")
    report = only(bundle, "DiagnosticReport")
    assert "encounter" in new
    assert "encounter" not in old
    assert report["basedOn"] == [{"reference": "ServiceRequest/" + old["id"]}]
    assert len(report["result"]) == 1
    assert "supportingInfo" not in old


def test_an_earlier_record_of_the_patient_is_lost_and_no_second_patient() -> None:
    segments = ("ORC|NW|P1", "OBR|1|P1||A^^L", "PID|||1^^^H^MR||Old^Ann", "ORC|PR|P0", "OBR|2|P0||A^^L")
    bundle = order(*segments)
    assert only(bundle, "Patient")["name"][0]["family"] == "Roe"
    assert {"PID[2]-3", "PID[2]-5"} <= {*lost(*segments)}


def test_what_is_sent_along_with_an_order_is_supporting_information() -> None:
    bundle = order("ORC|NW|P1", "OBR|1|P1||A^^L", "OBX|1|ST|FAST^^L||yes||||||F")
    found = only(bundle, "ServiceRequest")["supportingInfo"]
    assert found == [{"reference": "Observation/" + only(bundle, "Observation")["id"]}]


def test_a_diagnosis_behind_an_order_is_its_reason() -> None:
    bundle = order("ORC|NW|P1", "OBR|1|P1||A^^L", "DG1|1||E11^Diabetes^I10")
    reasons = only(bundle, "ServiceRequest")["reasonReference"]
    assert reasons == [{"reference": "Condition/" + only(bundle, "Condition")["id"]}]


def test_one_reason_of_two_orders_stands_behind_each() -> None:
    reason = "DG1|1||E11^Diabetes^I10"
    bundle = order("ORC|NW|P1", "OBR|1|P1||A^^L", reason, "ORC|NW|P2", "OBR|2|P2||B^^L", reason)
    assert only(bundle, "Condition")
    assert MADE.to_v2(bundle).message.count("DG1|") == 2


def written(bundle: Json, name: str) -> list[str]:
    """The segments of a name in a message that goes back without a prior."""
    return [line for line in MADE.to_v2(bundle).message.split("\r") if line.startswith(name + "|")]


def test_how_certain_a_reason_is_and_how_it_ranks_stand_with_it() -> None:
    reason = "DG1|1||R00.2^Palpitations^I10C|||W|||||||||2"
    bundle = order("ORC|NW|P1", "OBR|1|P1||A^^L", reason)
    condition = only(bundle, "Condition")
    assert condition["category"] == [{"coding": [{"code": "W", "system": V2 + "0052"}]}]
    rank = "http://hl7.org/fhir/4.0/StructureDefinition/extension-Encounter.diagnosis.rank"
    assert condition["extension"] == [{"valuePositiveInt": 2, "url": rank}]
    assert written(bundle, "DG1") == [reason]


CLINICAL = "http://hl7.org/fhir/4.0/StructureDefinition/extension-DiagnosticReport.effective"


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ("20240102070000+0100", {"valueDateTime": "2024-01-02T07:00:00+01:00"}),
        (
            "20240102070000+0100|20240102073000+0100",
            {"valuePeriod": {"start": "2024-01-02T07:00:00+01:00", "end": "2024-01-02T07:30:00+01:00"}},
        ),
    ],
)
def test_the_clinical_time_of_an_order_without_a_report_stands_with_it(times: str, said: Json) -> None:
    bundle = order("ORC|NW|P1", f"OBR|1|P1||A^^L|||{times}")
    assert {"url": CLINICAL, **said} in only(bundle, "ServiceRequest")["extension"]
    assert written(bundle, "OBR") == [f"OBR|1|||A^^L|||{times}"]


@pytest.mark.parametrize("other", [{"f25": "F"}, {"f15": "BLD"}])
def test_the_clinical_time_of_a_report_or_a_specimen_is_theirs(other: dict[str, str]) -> None:
    bundle = order("ORC|NW|P1", seg("OBR", f1="1", f2="P1", f4="A^^L", f7="20240102070000+0100", **other))
    urls = [one["url"] for one in only(bundle, "ServiceRequest").get("extension", ())]
    assert CLINICAL not in urls
    theirs = of_type(bundle, "DiagnosticReport") or [one["collection"] for one in of_type(bundle, "Specimen")]
    assert "2024-01-02T07:00:00+01:00" in theirs[0].values()
    assert written(bundle, "OBR")[0].split("|")[7] == "20240102070000+0100"


def test_a_new_clinical_time_touches_nothing_else() -> None:
    text = message(PID, "ORC|NW|P1", "OBR|1|P1||A^^L|||20240102070000+0100", event="OML^O21^OML_O21")
    bundle = MADE.to_fhir(text).bundle
    (time,) = (one for one in only(bundle, "ServiceRequest")["extension"] if one["url"] == CLINICAL)
    time["valueDateTime"] = "2024-01-03T07:00:00+01:00"
    assert MADE.to_v2(bundle, text).message == text.replace("20240102070000+0100", "20240103070000+0100")


# --- state ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status", "kept"),
    [
        ({"f1": "NW"}, "active", ""),
        ({"f1": "CA"}, "revoked", ""),
        ({"f1": "HD"}, "on-hold", ""),
        ({"f1": "SC", "f5": "CM"}, "completed", ""),
        ({"f1": "SC", "f5": "CA"}, "revoked", ""),
        ({"f1": "SC", "f5": "DC"}, "revoked", "DC"),
        ({"f1": "NW", "f5": "IP"}, "active", ""),
        ({"f1": "SC", "f5": "QQ"}, "unknown", "QQ"),
        ({"f1": "SS"}, "unknown", ""),
    ],
)
def test_the_status_says_how_it_stands_else_the_control(sent: dict[str, str], status: str, kept: str) -> None:
    found = request(seg("ORC", **sent))
    assert found["status"] == status
    assert control(found)["value"]["valueCodeableConcept"]["coding"] == [
        {"system": V2 + "0119", "code": sent["f1"]}
    ]
    codings = [
        one["valueCodeableConcept"]["coding"][0]["code"]
        for one in found.get("_status", {}).get("extension", ())
    ]
    assert codings == ([kept] if kept else [])


def test_a_new_order_was_written_then_and_anything_else_happened_then() -> None:
    new, done = request(seg("ORC", f1="NW", f9="202401021500")), request(seg("ORC", f1="SC", f9="20240103"))
    assert new["authoredOn"] == "2024-01-02T15:00:00+00:00"
    assert "authoredOn" not in done
    assert control(done)["date"]["valueDateTime"] == "2024-01-03"


def test_an_order_that_is_revoked_in_fhir_says_so_in_its_status() -> None:
    text = message(PID, "ORC|NW|P1^HIS", "OBR|1|P1^HIS||A^^L", event="OML^O21^OML_O21")
    bundle = MADE.to_fhir(text).bundle
    only(bundle, "ServiceRequest")["status"] = "revoked"
    back = MADE.to_v2(bundle, text)
    assert back.message == text.replace("ORC|NW|P1^HIS", "ORC|NW|P1^HIS|||CA")
    assert back.lost == []


@pytest.mark.parametrize(("sent", "intent"), [("G", "reflex-order"), ("A", "order"), ("L", "order")])
def test_a_reflex_order_is_one(sent: str, intent: str) -> None:
    assert request("ORC|NW|P1", seg("OBR", f4="A^^L", f11=sent))["intent"] == intent


# --- numbers ----------------------------------------------------------------------------------------------


def test_numbers_of_placer_filler_and_group_are_told_apart() -> None:
    found = request(seg("ORC", f1="NW", f2="P1^HIS", f3="F1^LAB", f4="G1^HIS", f33="A9^^^OLD", f38="FG^LAB"))
    kinds = [(one["type"]["coding"][0]["code"], one.get("use"), one["value"]) for one in found["identifier"]]
    assert sorted(kinds, key=str) == [
        ("FGN", None, "FG"),
        ("FILL", None, "F1"),
        ("PLAC", "secondary", "A9"),
        ("PLAC", None, "P1"),
    ]
    assert found["requisition"]["value"] == "G1"


def test_a_group_number_of_two_sides_is_the_placer_and_the_filler_one() -> None:
    found = request(seg("ORC", f1="NW", f4="G1&HIS^G2&LAB"))
    assert (found["requisition"]["value"], found["requisition"]["system"]) == ("G1", "urn:id:HIS")
    assert found["identifier"][0]["type"]["coding"][0]["code"] == "FGN"


PARENT = ("ORC|NW|P0^HIS", "OBR|1|P0^HIS||A^a^L")
CHILD = ("ORC|CH|P1^HIS||||||P0&HIS", "OBR|2|P1^HIS||B^b^L")


def test_a_parent_order_of_the_same_message_is_named_too() -> None:
    text = message(PID, *PARENT, *CHILD, event="OML^O21")
    bundle = lawful(MADE, text)
    assert MADE.to_v2(bundle).message.rstrip("\r").endswith("P0&HIS")
    for each in of_type(bundle, "ServiceRequest"):
        each["priority"] = "stat"
    assert MADE.to_v2(bundle, text).message == text.replace("A^a^L", "A^a^L|S").replace("B^b^L", "B^b^L|S")


def test_a_parent_that_fhir_points_to_is_named_by_its_number() -> None:
    bundle = MADE.to_fhir(message(PID, *PARENT, CHILD[0][:13], CHILD[1], event="OML^O21")).bundle
    parent, child = of_type(bundle, "ServiceRequest")
    child["basedOn"] = [{"reference": f"ServiceRequest/{parent['id']}"}]
    back = MADE.to_v2(bundle)
    assert (back.lost, back.message.rstrip("\r").endswith("P0&HIS")) == ([], True)


def test_a_parent_order_is_named_by_its_number() -> None:
    found = request("ORC|NW|P1", seg("OBR", f4="A^^L", f29="P0&HIS"))
    (parent,) = found["basedOn"]
    assert parent["type"] == "ServiceRequest"
    assert (parent["identifier"]["value"], parent["identifier"]["system"]) == ("P0", "urn:id:HIS")
    assert lost("ORC|NW|P1", seg("OBR", f4="A^^L", f29="P0&HIS^F0&LAB")) == ["OBR-29.2"]
