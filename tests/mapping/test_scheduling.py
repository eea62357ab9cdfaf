"""SIU: appointments, who and what takes part in them, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type
from tests.shipped import TRANSLATOR as MADE

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.note"
PID = "PID|1||1^^^H^MR||Berg^Eva"
SCH = (
    "SCH|P1^SCHED|F2^SCHED||||BOOK|FOLLOWUP^Follow up^HL70276|Normal^Routine^HL70277|30|min"
    "|^^^20260510090000+0200^20260510093000+0200|7001^Miller^Ann||||7002^Stone^Ben||||7003^Clerk^Cora"
    "|||||Booked"
)
AIP = "AIP|1||7009^Doc^Dora|MD^Physician^L||20260510090000+0200|||30|min||Booked"
AIL = "AIL|1||AMB^12^^H|||20260510090000+0200||||||Pending"
AIG = "AIG|1||US1^Ultrasound^L|EQ^Equipment^L"


def siu(*segments: str, event: str = "SIU^S12") -> str:
    return message(*segments, event=event)


def appointment(text: str) -> Json:
    return of_type(lawful(MADE, text), "Appointment")[0]


def participants(text: str) -> list[Json]:
    return list(appointment(text)["participant"])


def test_an_appointment_has_its_numbers_its_time_and_what_it_is_for() -> None:
    said = appointment(siu(SCH, PID, "RGS|1", "AIS|1||CONS^Consultation^L"))
    assert [(one["value"], one["type"]["coding"][0]["code"]) for one in said["identifier"]] == [
        ("P1", "PLAC"),
        ("F2", "FILL"),
    ]
    assert (said["status"], said["minutesDuration"]) == ("booked", 30)
    assert (said["start"], said["end"]) == ("2026-05-10T09:00:00+02:00", "2026-05-10T09:30:00+02:00")
    assert [one["code"] for one in said["reasonCode"][0]["coding"]] == ["FOLLOWUP", "185389009"]
    assert said["appointmentType"]["coding"][0]["code"] == "Normal"
    assert said["serviceType"] == [
        {"coding": [{"code": "CONS", "display": "Consultation", "system": "urn:id:L"}]}
    ]


def test_patient_contacts_and_whoever_takes_part_are_participants() -> None:
    kinds = [
        (one["actor"].get("reference", "").partition("/")[0], one.get("type", [{}])[0])
        for one in participants(siu(SCH, PID, "RGS|1", AIG, AIL, AIP))
    ]
    assert [kind for kind, _ in kinds] == [
        "Patient",
        "Practitioner",
        "Practitioner",
        "Practitioner",
        "",
        "Location",
        "Practitioner",
    ]
    assert [said.get("text") for _, said in kinds[1:3]] == ["placer contact", "filler contact"]
    assert kinds[3][1]["coding"][0]["code"] == "enterer"
    assert kinds[6][1]["coding"][0]["code"] == "MD"


def test_a_participant_has_a_status_and_a_time_of_its_own() -> None:
    *_, place, person = participants(siu(SCH, PID, "RGS|1", AIL, AIP))
    assert (place["status"], place["period"]) == ("needs-action", {"start": "2026-05-10T09:00:00+02:00"})
    assert person["status"] == "accepted"
    assert person["period"] == {"start": "2026-05-10T09:00:00+02:00", "end": "2026-05-10T09:30:00+02:00"}


def test_whether_somebody_agreed_to_come_is_not_made_up() -> None:
    patient, *_ = participants(siu(SCH, PID))
    assert patient["_status"] == {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}


def test_a_thing_is_named_by_its_identifier() -> None:
    assert participants(siu(SCH, PID, "RGS|1", AIG))[-1]["actor"] == {
        "identifier": {"value": "US1", "system": "urn:id:L"},
        "display": "Ultrasound",
    }


def test_whoever_is_taken_off_does_not_take_part() -> None:
    text = siu(SCH, PID, "RGS|1", AIP.replace("AIP|1|", "AIP|1|D"), event="SIU^S20")
    assert participants(text)[-1]["status"] == "declined"
    assert "AIP-12" in MADE.to_fhir(text).lost


def test_an_offset_counts_from_the_start_of_the_appointment() -> None:
    text = siu(SCH, PID, "RGS|1", "AIP|1||7009^Doc^Dora||||15|min")
    assert participants(text)[-1]["period"] == {"start": "2026-05-10T09:15:00+02:00"}
    assert "AIP-7" not in MADE.to_fhir(text).lost


@pytest.mark.parametrize(
    ("event", "sent", "status"),
    [
        ("S12", "Booked", "booked"),
        ("S12", "Waitlist", "waitlist"),
        ("S12", "", "booked"),
        ("S15", "", "cancelled"),
        ("S17", "", "entered-in-error"),
        ("S26", "", "noshow"),
        ("S14", "Discontinued", "cancelled"),
    ],
)
def test_the_status_is_the_fillers_else_that_of_the_event(event: str, sent: str, status: str) -> None:
    text = siu(f"SCH|P1^S|F2^S{'|' * 23}{sent}", PID, event=f"SIU^{event}")
    assert appointment(text)["status"] == status


def test_why_it_came_to_nothing_is_said_where_it_did() -> None:
    text = siu("SCH|P1^S|F2^S||||SICK^Ill^L" + "|" * 19 + "Cancelled", PID, event="SIU^S15")
    assert appointment(text)["cancelationReason"]["coding"][0]["code"] == "SICK"
    made = lawful(MADE, siu(SCH, PID))
    found = next(one for one in of_type(made, "Provenance") if "Appointment/" in str(one["target"]))
    assert found["reason"][0]["coding"][0]["code"] == "BOOK"


def test_an_appointment_without_a_time_has_that_of_its_service() -> None:
    bare = "SCH|P1^S|F2^S" + "|" * 23 + "Booked"
    said = appointment(siu(bare, PID, "RGS|1", "AIS|1||C^Care^L|20260510090000+0200|||45|min"))
    assert (said["start"], said["end"]) == ("2026-05-10T09:00:00+02:00", "2026-05-10T09:45:00+02:00")
    assert "_start" in appointment(siu(bare, PID))


def test_the_order_is_for_the_time_that_a_further_service_says() -> None:
    text = siu("SCH|1^A||||||||||" + "|" * 15 + "O1^HIS", PID, "RGS|1", "AIS|1||A^a^L",
               "AIS|2||B^b^L|20260510090000+0200")  # fmt: skip
    (order,) = of_type(lawful(MADE, text), "ServiceRequest")
    assert order["code"]["coding"][0]["code"] == "A"
    assert order["occurrencePeriod"] == {"start": "2026-05-10T09:00:00+02:00"}


def test_an_end_before_the_start_is_listed() -> None:
    text = siu(
        "SCH|1^A|||||||||||||||||||||||Booked", "TQ1|||||||20260510093000+0000|20260510093000+0200", PID
    )
    assert "end" not in appointment(text)
    assert "TQ1-8" in MADE.to_fhir(text).lost


def test_the_time_of_a_service_that_is_another_is_listed() -> None:
    text = siu(SCH, PID, "RGS|1", "AIS|1||C^Care^L|20260511090000+0200")
    assert "AIS-4" in MADE.to_fhir(text).lost
    assert appointment(text)["start"] == "2026-05-10T09:00:00+02:00"


def test_an_order_that_is_scheduled_is_what_the_appointment_is_based_on() -> None:
    text = siu(f"{SCH}|O1^EHR|O2^LAB", PID, "RGS|1", "AIS|1||CONS^Consultation^L")
    order = of_type(lawful(MADE, text), "ServiceRequest")[0]
    assert [one["value"] for one in order["identifier"]] == ["O1", "O2"]
    assert (order["status"], order["intent"]) == ("active", "order")
    assert order["code"]["coding"][0]["code"] == "CONS"
    assert order["occurrencePeriod"]["start"] == "2026-05-10T09:00:00+02:00"
    assert appointment(text)["basedOn"] == [{"reference": f"ServiceRequest/{order['id']}"}]


def test_notes_of_the_appointment_and_of_its_service_are_its_notes() -> None:
    text = siu(SCH, "NTE|1||Bring the card~and the letter", PID, "RGS|1", "AIS|1||C^Care^L", "NTE|1||fasting")
    notes = [one["valueAnnotation"] for one in appointment(text)["extension"] if one["url"] == NOTE]
    assert notes == [{"text": "Bring the card\nand the letter"}, {"text": "fasting"}]


def test_who_entered_it_is_in_its_provenance_too() -> None:
    made = lawful(MADE, siu(SCH, PID))
    found = next(one for one in of_type(made, "Provenance") if "Appointment/" in str(one["target"]))
    assert found["agent"][0]["type"]["coding"][0]["code"] == "enterer"


def test_an_appointment_may_be_for_nobody() -> None:
    said = appointment(siu("SCH|P1^S|F2^S" + "|" * 23 + "Booked", event="SIU^S23"))
    assert said["participant"][0]["type"] == [{"extension": [{"url": ABSENT, "valueCode": "unknown"}]}]


def changed(text: str, edit: Any) -> list[str]:
    """The segments of a message after an edit of its appointment in FHIR."""
    bundle = MADE.to_fhir(text).bundle
    edit(of_type(bundle, "Appointment")[0])
    return MADE.to_v2(bundle, text).message.split("\r")


def test_a_participant_that_goes_takes_its_segment_along_and_no_other() -> None:
    text = siu(SCH, PID, "RGS|1", AIL, AIP)
    after = changed(text, lambda one: one["participant"].pop())
    assert after == [line for line in text.split("\r") if not line.startswith("AIP")]


def test_a_new_participant_gets_a_segment() -> None:
    text = siu(SCH, PID)

    def add(one: Json) -> None:
        one["participant"].append(
            {"actor": {"type": "Device", "identifier": {"value": "X9"}}, "status": "accepted"}
        )

    assert changed(text, add)[-3:] == ["RGS|1", "AIG|1||X9|||||||||||Booked", ""]


def test_a_changed_status_touches_its_own_field_only() -> None:
    text = siu(SCH, PID, "RGS|1", AIP)

    def decline(one: Json) -> None:
        one["participant"][-1]["status"] = "declined"

    after = changed(text, decline)
    assert after[4] == AIP.replace("Booked", "Cancelled")
    assert [line for line in after if not line.startswith("AIP")] == [
        line for line in text.split("\r") if not line.startswith("AIP")
    ]


def test_a_message_of_fhir_is_whole_and_in_the_order_of_the_standard() -> None:
    bundle = MADE.to_fhir(siu(SCH, PID, "RGS|1", "AIS|1||C^Care^L", AIG, AIL, AIP)).bundle
    names = [line[:3] for line in MADE.to_v2(bundle).message.split("\r")]
    assert names == ["MSH", "SCH", "PID", "RGS", "AIS", "AIG", "AIL", "AIP", ""]


def test_the_answer_to_a_request_tells_of_the_appointment_too() -> None:
    text = message("MSA|AA|77", SCH, PID, "RGS|1", AIP, event="SRR^S01")
    assert appointment(text)["status"] == "booked"
    assert "MSH-9" not in MADE.to_fhir(text).lost
