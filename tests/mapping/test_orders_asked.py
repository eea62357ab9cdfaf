"""Who asks for an order, when it shall be done, and what else is said of it, and back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.mapping.orders import MADE, PID, lost, order, request, seg
from tests.mapping.profiles import lawful, lines, message, of_type, only

# --- who asks ---------------------------------------------------------------------------------------------


def test_who_asks_is_a_practitioner_and_in_a_facility_a_role() -> None:
    alone = order(seg("ORC", f1="NW", f12="7^Doe^Jo"))
    placed = order(
        seg(
            "ORC",
            f1="NW",
            f12="7^Doe^Jo",
            f21="Clinic^^^^^H^XX^^^C1",
            f22="1 Road^^Town",
            f23="^WPN^PH^^^1^2",
        )
    )
    assert only(alone, "ServiceRequest")["requester"]["reference"].startswith("Practitioner/")
    role = only(placed, "PractitionerRole")
    (clinic,) = (one for one in of_type(placed, "Organization") if one["name"] == "Clinic")
    assert only(placed, "ServiceRequest")["requester"]["reference"] == "PractitionerRole/" + role["id"]
    assert role["practitioner"]["reference"] == "Practitioner/" + only(placed, "Practitioner")["id"]
    assert (clinic["address"][0]["city"], clinic["telecom"][0]["value"]) == ("Town", "1 2")


def test_the_address_of_who_asks_is_the_persons() -> None:
    bundle = order(seg("ORC", f1="NW", f12="7^Doe^Jo", f24="1 Road^^Town"))
    assert only(bundle, "Practitioner")["address"][0]["city"] == "Town"


def test_an_address_of_nobody_is_lost() -> None:
    assert lost(seg("ORC", f1="NW", f24="1 Road^^Town")) == ["ORC-24"]


def test_another_who_asks_takes_the_place_of_the_first_and_keeps_the_facility() -> None:
    text = message(
        PID, seg("ORC", f1="NW", f12="7^Doe^Jo", f21="Clinic^^^^^H^XX^^^C1"), event="OML^O21^OML_O21"
    )
    bundle = MADE.to_fhir(text).bundle
    other = {"resourceType": "Practitioner", "id": "p8", "identifier": [{"value": "8"}]}
    bundle["entry"].append({"resource": other})
    only(bundle, "PractitionerRole")["practitioner"] = {"reference": "Practitioner/p8"}
    back = lines(MADE.to_v2(bundle, text).message)["ORC"].split("|")
    assert (back[12], back[21]) == ("8", "Clinic^^^^^H^XX^^^C1")


def test_a_number_to_call_back_stands_with_the_order() -> None:
    found = request(seg("ORC", f1="NW", f14="^WPN^PH^^^1^2"), seg("OBR", f4="A^^L", f17="^WPN^PH^^^1^2"))
    numbers = [one for one in found["extension"] if one["url"].endswith("callback-phone-number")]
    assert [one["valueContactPoint"]["value"] for one in numbers] == ["1 2"]


def test_who_entered_and_verified_an_order_is_in_its_provenance() -> None:
    bundle = order(
        seg(
            "ORC",
            f1="NW",
            f9="20240102150000",
            f10="1^Ent",
            f11="2^Ver",
            f12="3^Ord",
            f17="W^Ward",
            f18="D1^Pump",
        )
    )
    provenance = only(bundle, "Provenance")
    kinds = [one.get("type", {}).get("coding", [{}])[0].get("code", "") for one in provenance["agent"]]
    assert kinds == ["enterer", "verifier", "author", "enterer", ""]
    assert provenance["activity"]["coding"][0]["code"] == "CREATE"
    assert provenance["recorded"] == "2024-01-02T15:00:00+00:00"
    assert only(bundle, "Device")["deviceName"] == [{"name": "Pump", "type": "user-friendly-name"}]


# --- when -------------------------------------------------------------------------------------------------


def test_a_timing_says_how_often_when_and_how_many() -> None:
    found = request(
        "ORC|NW|P1", "TQ1|1|5^mL|BID^^^^8^h^^AC^30^min||||20240102|20240110|S||||20^min|6", "OBR|1|P1||A^^L"
    )
    assert found["priority"] == "stat"
    assert found["quantityQuantity"] == {"value": 5, "unit": "mL"}
    assert found["occurrenceTiming"]["code"]["coding"][0]["code"] == "BID"
    assert found["occurrenceTiming"]["repeat"] == {
        "boundsPeriod": {"start": "2024-01-02", "end": "2024-01-10"},
        "period": 8,
        "periodUnit": "h",
        "when": ["AC"],
        "offset": 30,
        "duration": Decimal(20),
        "durationUnit": "min",
        "count": 6,
    }


def test_days_of_the_week_are_all_of_them_from_the_first_to_the_last() -> None:
    found = request("ORC|NW", "TQ1|1||^DW^6^1", "OBR|1|||A^^L")
    assert found["occurrenceTiming"]["repeat"]["dayOfWeek"] == ["sat", "sun", "mon"]


def test_times_of_the_day_and_how_long() -> None:
    found = request("ORC|NW", "TQ1|1|||0800~2000||5^d", "OBR|1|||A^^L")["occurrenceTiming"]["repeat"]
    assert found["timeOfDay"] == ["08:00:00", "20:00:00"]
    assert found["boundsDuration"]["code"] == "d"


def test_a_duration_beside_a_start_is_not_reckoned_into_an_end() -> None:
    assert lost("ORC|NW", "TQ1|1|||||5^d|20240102", "OBR|1|||A^^L") == ["TQ1-6"]


def test_an_old_timing_says_the_same_and_is_kept_where_it_was_sent() -> None:
    segments = (seg("ORC", f1="NW", f7="1^Q1H^D5^^^S^^^^^^3"), "OBR|1|||A^^L")
    found = request(*segments, event="ORM^O01^ORM_O01")
    assert found["priority"] == "stat"
    assert found["occurrenceTiming"]["repeat"]["boundsDuration"]["value"] == 5
    assert found["occurrenceTiming"]["repeat"]["count"] == 3
    text = message(PID, *segments, event="ORM^O01^ORM_O01")
    bundle = MADE.to_fhir(text).bundle
    only(bundle, "ServiceRequest")["occurrenceTiming"]["repeat"]["count"] = 4
    assert MADE.to_v2(bundle, text).message == text.replace("^^^^^^3", "^^^^^^4")


def test_an_edit_of_what_an_old_timing_says_stays_there() -> None:
    text = message(PID, seg("ORC", f1="NW", f7="1^^^^^S"), "OBR|1|||A^^L", event="ORM^O01^ORM_O01")
    bundle = MADE.to_fhir(text).bundle
    asked = only(bundle, "ServiceRequest")
    asked["quantityQuantity"]["value"], asked["priority"] = 2, "routine"
    assert MADE.to_v2(bundle, text).message == text.replace("1^^^^^S", "2^^^^^R")


def test_a_requested_time_is_said_where_no_timing_is() -> None:
    alone = request("ORC|NW", seg("OBR", f4="A^^L", f6="20240102"))
    assert alone["occurrenceDateTime"] == "2024-01-02"
    assert lost("ORC|NW", "TQ1|1||BID", seg("OBR", f4="A^^L", f6="20240102")) == ["OBR-6"]


# --- the rest ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "element"),
    [
        ({"f24": "LAB"}, "category"),
        ({"f31": "R07^Chest pain^I10"}, "reasonCode"),
        ({"f46": "X^^L", "f47": "Y^^L"}, "orderDetail"),
        ({"f5": "R"}, "priority"),
    ],
)
def test_a_field_of_the_order_has_its_element(fields: dict[str, str], element: str) -> None:
    assert element in request("ORC|NW", seg("OBR", f4="A^^L", **fields))


def test_clinical_information_is_an_extension_that_carries_a_concept() -> None:
    found = request("ORC|NW", seg("OBR", f4="A^^L", f13="fasting~febrile"))
    concepts = [
        one["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] for one in found["extension"][1:]
    ]
    assert concepts == ["fasting", "febrile"]


def test_an_order_that_is_confidential_says_so() -> None:
    found = request(seg("ORC", f1="NW", f28="R^Restricted^HL70177"))
    assert found["meta"]["security"][0]["code"] == "R"


def test_why_an_order_changed_and_where_it_is_done() -> None:
    found = request(seg("ORC", f1="DC", f16="LATE^Too late^L", f29="O^Outpatient^HL70482"))
    assert found["extension"][1]["valueCodeableConcept"]["coding"][0]["code"] == "LATE"
    assert found["locationCode"][0]["coding"][0]["code"] == "O"


def test_notes_of_an_order_and_a_text_of_its_timing_stay_apart() -> None:
    text = message(
        PID, "ORC|NW", "TQ1|1||||||||||slowly", "OBR|1|||A^^L", "NTE|1||careful", event="OML^O21^OML_O21"
    )
    bundle = lawful(MADE, text)
    assert [one["text"] for one in only(bundle, "ServiceRequest")["note"]] == ["slowly", "careful"]
    only(bundle, "ServiceRequest")["note"][1]["text"] = "very careful"
    assert MADE.to_v2(bundle, text).message == text.replace("|careful", "|very careful")


def test_who_wrote_a_note_is_its_author() -> None:
    bundle = order("ORC|NW", "OBR|1|||A^^L", "NTE|1||careful||7^Doe^Jo|20240102")
    (note,) = only(bundle, "ServiceRequest")["note"]
    assert note["authorReference"] == {"reference": "Practitioner/" + only(bundle, "Practitioner")["id"]}
