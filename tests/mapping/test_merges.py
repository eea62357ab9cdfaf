"""Merges, links, moves and swaps: messages about two patients, both ways."""

from __future__ import annotations

from copy import deepcopy

import pytest

from connector.errors import NotTranslatable
from connector.mapping.translator import Envelope
from tests.mapping.profiles import Json, lawful, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

EVN = "EVN||20261123101500+0100"
KEPT = "PID|1||M1^^^STV^MR||Okafor^Ada"
GONE = "MRG|M2^^^STV^MR||||||Okafor^Adaeze"
ANOTHER = "PID|2||M3^^^STV^MR||Larsen^Bo"
ACCOUNT = "|" * 13 + "A1^^^STV"
VISIT = "PV1|1|I|||||||||||||||||V1^^^STV^VN"


def segments(text: str, *names: str) -> list[str]:
    return [line for line in text.split("\r") if line[:3] in names]


def named(bundle: Json, value: str, kind: str = "Patient") -> Json:
    """The resource with an identifier of this value."""
    (one,) = (one for one in of_type(bundle, kind) if one["identifier"][0]["value"] == value)
    return one


def bundled(*resources: Json) -> Json:
    """A transaction of the FHIR side."""
    entry = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entry}


def linked(one: Json, other: Json, kind: str) -> Json:
    return {"other": {"reference": f"{other['resourceType']}/{other['id']}"}, "type": kind}


# --- patients ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        "ADT^A18^ADT_A18",
        "ADT^A30^ADT_A30",
        "ADT^A34^ADT_A30",
        "ADT^A36^ADT_A30",
        "ADT^A39^ADT_A39",
        "ADT^A40^ADT_A39",
        "ADT^A46^ADT_A30",
        "ADT^A47^ADT_A30",
        "ADT^A48^ADT_A30",
        "ADT^A07^ADT_A06",
    ],
)
def test_the_retired_patient_and_the_one_in_his_place_refer_to_each_other(event: str) -> None:
    bundle = lawful(MADE, message(EVN, KEPT, GONE, VISIT, event=event))
    kept, gone = named(bundle, "M1"), named(bundle, "M2")
    assert kept["link"] == [linked(kept, gone, "replaces")]
    assert gone["link"] == [linked(gone, kept, "replaced-by")]
    assert gone["active"] is False
    assert "active" not in kept
    assert gone["name"] == [{"family": "Okafor", "given": ["Adaeze"]}]
    assert only(bundle, "Encounter")["subject"] == gone["link"][0]["other"]


def test_what_is_retired_is_the_one_that_earlier_messages_spoke_of() -> None:
    before = MADE.to_fhir(message(EVN, "PID|1||M2^^^STV^MR||Okafor^Adaeze", VISIT)).bundle
    after = MADE.to_fhir(message(EVN, KEPT, GONE, event="ADT^A40^ADT_A39")).bundle
    assert named(after, "M2")["id"] == only(before, "Patient")["id"]


def test_several_merges_in_one_message_stay_apart() -> None:
    text = message(EVN, KEPT, GONE, ANOTHER, "MRG|M4^^^STV^MR", event="ADT^A40^ADT_A39")
    bundle = lawful(MADE, text)
    assert named(bundle, "M4")["link"] == [linked(named(bundle, "M4"), named(bundle, "M3"), "replaced-by")]
    back = MADE.to_v2(bundle).message
    assert [one[:3] + one[3:9].strip("|") for one in segments(back, "PID", "MRG")] == [
        "PID1||M1",
        "MRGM2^^^",
        "PID2||M3",
        "MRGM4^^^",
    ]


def test_two_records_may_be_merged_into_one() -> None:
    text = message(EVN, KEPT, GONE, KEPT, "MRG|M5^^^STV^MR", event="ADT^A40^ADT_A39")
    bundle = lawful(MADE, text)
    kept = named(bundle, "M1")
    assert [one["type"] for one in kept["link"]] == ["replaces", "replaces"]
    assert len(of_type(bundle, "Patient")) == 3


@pytest.mark.parametrize("pids", [(KEPT, "PID|2||M1^^^STV^MR"), ("PID|1||M1^^^STV^MR", KEPT)])
def test_who_is_named_again_with_less_or_more_is_the_same_one(pids: tuple[str, str]) -> None:
    text = message(EVN, pids[0], GONE, pids[1], "MRG|M5^^^STV^MR", event="ADT^A40^ADT_A39")
    bundle = lawful(MADE, text)
    assert len(of_type(bundle, "Patient")) == 3
    assert named(bundle, "M1")["name"] == [{"family": "Okafor", "given": ["Ada"]}]
    assert [one["type"] for one in named(bundle, "M1")["link"]] == ["replaces", "replaces"]


def test_what_one_merge_keeps_and_the_next_retires_is_listed() -> None:
    text = message(EVN, KEPT, GONE, ANOTHER, "MRG|M1^^^STV^MR", event="ADT^A40^ADT_A39")
    said = MADE.to_fhir(text)
    assert said.lost == ["MRG[2]-1"]
    assert MADE.to_v2(said.bundle, text).message == text


def test_a_merge_goes_over_what_is_known_of_both() -> None:
    text = message(EVN, KEPT, GONE, event="ADT^A40^ADT_A39")
    there = MADE.to_fhir(text).bundle
    prior = deepcopy([named(there, "M1"), named(there, "M2")])
    elsewhere = {"other": {"reference": "Patient/else"}, "type": "seealso"}
    for one in prior:
        one["link"] = [elsewhere]
        one["gender"] = "female"
        one["active"] = True
    merged = MADE.to_fhir(text, prior=prior).bundle
    kept, gone = named(merged, "M1"), named(merged, "M2")
    assert kept["link"] == [elsewhere, linked(kept, gone, "replaces")]
    assert gone["link"] == [elsewhere, linked(gone, kept, "replaced-by")]
    assert (kept["active"], gone["active"]) == (True, False)
    assert (kept["gender"], gone["gender"]) == ("female", "female")


def test_an_edit_of_the_retired_patient_touches_mrg_alone() -> None:
    text = message(EVN, KEPT, GONE, event="ADT^A40^ADT_A39")
    bundle = MADE.to_fhir(text).bundle
    named(bundle, "M2")["name"][0]["given"] = ["Ada"]
    back = MADE.to_v2(bundle, text)
    assert back.message == text.replace("Adaeze", "Ada")
    assert back.lost == []


def test_a_merge_that_fhir_began_is_a_message_of_its_own() -> None:
    kept: Json = {"resourceType": "Patient", "id": "one", "identifier": [{"value": "M1"}]}
    gone: Json = {"resourceType": "Patient", "id": "two", "identifier": [{"value": "M2"}], "active": False}
    gone["link"] = [{"other": {"reference": "Patient/one"}, "type": "replaced-by"}]
    for order in ([kept, gone], [gone, kept]):
        made = MADE.to_v2(bundled(*order), envelope=Envelope("ADT^A40", "C1", "20261123101500"))
        assert segments(made.message, "PID", "MRG", "PV1") == ["PID|1||M1", "MRG|M2"]


def test_who_is_replaced_by_somebody_unknown_here_has_no_message() -> None:
    gone: Json = {"resourceType": "Patient", "id": "two", "identifier": [{"value": "M2"}], "active": False}
    gone["link"] = [{"other": {"reference": "Patient/one"}, "type": "replaced-by"}]
    kept: Json = {"resourceType": "Patient", "id": "three", "identifier": [{"value": "M3"}]}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": r} for r in (kept, gone)],
    }
    with pytest.raises(NotTranslatable, match="MRG"):
        MADE.to_v2(bundle, envelope=Envelope("ADT^A40", "C1", "20261123101500"))


def test_without_a_number_nobody_is_retired_and_that_is_listed() -> None:
    said = MADE.to_fhir(message(EVN, KEPT, "MRG|^^^STV^MR||||||Okafor^A", event="ADT^A40^ADT_A39"))
    assert len(of_type(said.bundle, "Patient")) == 1
    assert said.lost == ["MRG-1", "MRG-7"]


def test_what_is_said_of_the_patient_who_is_kept_is_listed() -> None:
    said = MADE.to_fhir(message(EVN, KEPT, "MRG|M1^^^STV^MR|X^^^OLD", event="ADT^A40^ADT_A39"))
    assert len(of_type(said.bundle, "Patient")) == 1
    assert said.lost == ["MRG-1", "MRG-2"]


# --- accounts and visits --------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["ADT^A35^ADT_A30", "ADT^A41^ADT_A39", "ADT^A49^ADT_A30"])
def test_the_account_of_a_number_that_is_used_no_longer_has_an_old_number(event: str) -> None:
    text = message(EVN, KEPT + ACCOUNT, "MRG|M1^^^STV^MR||A2^^^STV", event=event)
    bundle = lawful(MADE, text)
    patient = only(bundle, "Patient")
    assert "link" not in patient
    kept, gone = of_type(bundle, "Account")
    assert (kept["status"], gone["status"]) == ("active", "unknown")
    assert gone["identifier"] == [{"value": "A2", "system": "urn:id:STV", "use": "old"}]
    assert kept["subject"] == gone["subject"] == [{"reference": f"Patient/{patient['id']}"}]
    assert MADE.to_fhir(text).lost == []
    assert segments(MADE.to_v2(bundle).message, "MRG") == ["MRG|||A2^^^STV"]


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("ADT^A42^ADT_A39", "entered-in-error"),
        ("ADT^A50^ADT_A50", "entered-in-error"),
        ("ADT^A51^ADT_A50", "entered-in-error"),
        ("ADT^A06^ADT_A06", "finished"),
    ],
)
def test_the_visit_of_a_number_that_is_used_no_longer_is_over(event: str, status: str) -> None:
    text = message(EVN, KEPT, "MRG|M1^^^STV^MR||||V2^^^STV^VN|X2", VISIT, event=event)
    bundle = lawful(MADE, text)
    gone = named(bundle, "V2", "Encounter")
    assert gone["status"] == status
    assert {one["use"] for one in gone["identifier"]} == {"old"}
    assert [one["value"] for one in gone["identifier"]] == ["V2", "X2"]
    assert named(bundle, "V1", "Encounter")["status"] == "in-progress"
    assert segments(MADE.to_v2(bundle).message, "MRG") == ["MRG|||||V2^^^STV^VN|X2"]


def test_numbers_that_stay_the_same_retire_nothing() -> None:
    text = message(EVN, KEPT + ACCOUNT, "MRG|M1^^^STV||A1^^^STV||V1^^^STV", VISIT, event="ADT^A50^ADT_A50")
    said = MADE.to_fhir(text)
    assert said.lost == []
    assert [len(of_type(said.bundle, kind)) for kind in ("Patient", "Account", "Encounter")] == [1, 1, 1]
    assert MADE.to_v2(said.bundle, text).message == text


def test_an_account_that_is_moved_belongs_to_its_new_patient() -> None:
    there = MADE.to_fhir(message(EVN, "PID|1||M2^^^STV^MR||Larsen^Bo" + ACCOUNT)).bundle
    moved = message(EVN, KEPT + ACCOUNT, "MRG|M2^^^STV^MR||A1^^^STV", event="ADT^A44^ADT_A43")
    said = MADE.to_fhir(moved, prior=there)
    (account,) = of_type(said.bundle, "Account")
    assert account["id"] == only(there, "Account")["id"]
    assert account["subject"] == [{"reference": f"Patient/{only(said.bundle, 'Patient')['id']}"}]
    assert said.lost == ["MRG-1"]  # whose it was
    assert MADE.to_v2(said.bundle, moved).message == moved


def test_visits_that_are_moved_belong_to_their_new_account() -> None:
    moved = "MRG|M1^^^STV^MR||A2^^^STV||V{0}^^^STV", "PV1|{0}|I|||||||||||||||||V{0}^^^STV^VN"
    text = message(
        EVN, KEPT + ACCOUNT, *(one.format(n) for n in (1, 2) for one in moved), event="ADT^A45^ADT_A45"
    )
    bundle = lawful(MADE, text)
    assert MADE.to_fhir(text).lost == ["MRG-3", "MRG[2]-3"]  # where they were
    account = f"Account/{only(bundle, 'Account')['id']}"
    assert [one["account"] for one in of_type(bundle, "Encounter")] == [[{"reference": account}]] * 2


# --- two patients ------------------------------------------------------------------------------------------


def test_two_patients_swap_their_beds() -> None:
    beds = "PV1|1|I|W^1^1", "PV1|1|I|W^1^2"
    text = message(EVN, KEPT, beds[0], ANOTHER, beds[1], "OBX|1|ST|a^b||x", event="ADT^A17^ADT_A17")
    bundle = lawful(MADE, text)
    one, other = of_type(bundle, "Encounter")
    assert one["subject"]["reference"].endswith(named(bundle, "M1")["id"])
    assert other["subject"]["reference"].endswith(named(bundle, "M3")["id"])
    assert only(bundle, "Observation")["encounter"]["reference"].endswith(other["id"])
    back = MADE.to_v2(bundle).message
    assert segments(back, "PID", "PV1", "OBX") == [KEPT, beds[0], ANOTHER, beds[1], "OBX|1|ST|a^b||x"]


def test_an_edit_of_the_second_visit_touches_that_one_alone() -> None:
    text = message(EVN, KEPT, "PV1|1|I|W^1^1", ANOTHER, "PV1|1|I|W^1^2|E", "ZBD|x", event="ADT^A17^ADT_A17")
    bundle = MADE.to_fhir(text).bundle
    of_type(bundle, "Encounter")[1]["class"] = {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "code": "EMER",
    }
    assert MADE.to_v2(bundle, text).message == text.replace("|I|W^1^2", "|E|W^1^2")


def test_a_new_visit_of_the_first_patient_stands_with_him() -> None:
    text = message(EVN, KEPT, ANOTHER, "PV1|1|I|W^1^2", event="ADT^A17^ADT_A17")
    bundle = MADE.to_fhir(text).bundle
    visit: Json = {"resourceType": "Encounter", "id": "new", "status": "in-progress"}
    visit["class"] = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    visit["subject"] = {"reference": f"Patient/{named(bundle, 'M1')['id']}"}
    bundle["entry"].append({"resource": visit})
    back = MADE.to_v2(bundle, text)
    assert [one[:7] for one in segments(back.message, "PID", "PV1")] == [
        KEPT[:7],
        "PV1|1|O",
        ANOTHER[:7],
        "PV1|1|I",
    ]


def test_links_go_both_ways_and_are_taken_back() -> None:
    two = (EVN, KEPT, "PV1|1|I|W^1^1", ANOTHER, "PV1|1|I|W^1^2")
    there = lawful(MADE, message(*two, event="ADT^A24^ADT_A24"))
    one, other = named(there, "M1"), named(there, "M3")
    assert one["link"] == [linked(one, other, "seealso")]
    assert other["link"] == [linked(other, one, "seealso")]
    kept = {"other": {"reference": "Patient/else"}, "type": "seealso"}
    one["link"].insert(0, kept)
    parted = MADE.to_fhir(message(*two, event="ADT^A37^ADT_A37"), prior=there).bundle
    assert named(parted, "M1")["link"] == [kept]
    assert "link" not in named(parted, "M3")
    lawful(MADE, message(*two, event="ADT^A37^ADT_A37"))


def test_a_link_that_fhir_began_names_both_patients() -> None:
    one: Json = {"resourceType": "Patient", "id": "one", "identifier": [{"value": "M1"}]}
    other: Json = {"resourceType": "Patient", "id": "two", "identifier": [{"value": "M2"}]}
    one["link"] = [{"other": {"reference": "Patient/two"}, "type": "seealso"}]
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": r} for r in (one, other)],
    }
    made = MADE.to_v2(bundle, envelope=Envelope("ADT^A24", "C1", "20261123101500"))
    assert segments(made.message, "PID") == ["PID|1||M1", "PID|2||M2"]
    assert made.lost == []


def test_explaining_a_merge_names_the_segments_of_both() -> None:
    told = MADE.explain(message(EVN, KEPT, GONE, event="ADT^A40^ADT_A39"))
    assert "MRG-1.1" in {one.location for one in told}
    links = {one.element: one.location for one in told if one.element.endswith("other.reference")}
    assert links == {
        "Patient[0].link[0].other.reference": "MRG",
        "Patient[1].link[0].other.reference": "MRG",
    }
