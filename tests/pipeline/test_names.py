"""One resource under two names: what was created at the FHIR side keeps its id there."""

from __future__ import annotations

from typing import Any

from connector.pipeline import names
from tests.pipeline.site import TO_FHIR, Cycle, Sent, message, patient

Json = dict[str, Any]


def one(kind: str, identity: str, **more: Any) -> dict[str, Json]:
    return {f"{kind}/{identity}": {"resourceType": kind, "id": identity, **more}}


def coded(code: str) -> Json:
    return {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}}


def numbered(value: str) -> Json:
    return {"identifier": [{"system": "urn:oid:1.2", "value": value}]}


def test_an_identifier_in_common_tells_what_belongs_together() -> None:
    here = one("Patient", "a", **numbered("1")) | one("Patient", "b", **numbered("2"))
    there = one("Patient", "x", **numbered("2")) | one("Patient", "y", **numbered("1"))
    assert names.learn(here, there) == {"Patient/b": "Patient/x", "Patient/a": "Patient/y"}


def test_the_only_ones_of_their_type_belong_together() -> None:
    assert names.learn(one("Encounter", "a"), one("Encounter", "x")) == {"Encounter/a": "Encounter/x"}


def test_as_many_with_the_same_codes_in_order_belong_together() -> None:
    here = one("Observation", "a", **coded("1")) | one("Observation", "b", **coded("2"))
    there = one("Observation", "x", **coded("1")) | one("Observation", "y", **coded("2"))
    assert names.learn(here, there) == {"Observation/a": "Observation/x", "Observation/b": "Observation/y"}


def test_what_is_not_certain_is_not_learned() -> None:
    here = one("Observation", "a", **coded("1")) | one("Observation", "b", **coded("2"))
    assert names.learn(here, one("Observation", "x", **coded("1"))) == {}
    swapped = one("Observation", "x", **coded("2")) | one("Observation", "y", **coded("1"))
    assert names.learn(here, swapped) == {}


def test_what_has_one_name_on_both_sides_needs_no_other() -> None:
    same = one("Patient", "a", **numbered("1"))
    assert names.learn(same, same) == {}


def test_renaming_changes_keys_ids_and_references_and_nothing_else() -> None:
    before = one("Patient", "a") | one("Encounter", "e", subject={"reference": "Patient/a"}, status="planned")
    after = names.renamed(before, {"Patient/a": "Patient/x"})
    assert after == one("Patient", "x") | one(
        "Encounter", "e", subject={"reference": "Patient/x"}, status="planned"
    )
    assert before["Encounter/e"]["subject"] == {"reference": "Patient/a"}


async def test_a_patient_of_the_fhir_side_stays_one_patient_in_every_later_message(cycle: Cycle) -> None:
    for street in ("Rosenallee 12", "Lindenweg 7", "Am Anger 1"):
        await cycle.submit(Sent.update(patient(street=street)))
        await cycle.run()
    last = cycle.hospital.got[-1][1].decode()
    assert last.count("\rPID|") == 1
    assert "Am Anger 1" in last
    assert "Lindenweg" not in last


async def test_what_the_hospital_says_of_it_goes_to_the_resource_that_is_there(cycle: Cycle) -> None:
    await cycle.submit(Sent.update(patient()))
    await cycle.run()
    await cycle.receive(message(kind="ADT^A31^ADT_A05", patient="80001", phone="5550777"))
    await cycle.run()
    (found,) = cycle.fhir.of("Patient")
    assert found["id"] == "fhir-1"
    assert "5550777" in str(found["telecom"])
    assert found["address"] == patient()["address"]
    urls = [entry["request"]["url"] for entry in cycle.fhir.got[-1]["entry"]]
    assert "Patient/fhir-1" in urls
    assert all(
        entry["fullUrl"].endswith(f"/fhir/{url}") for entry, url in zip(cycle.fhir.got[-1]["entry"], urls)
    )


async def test_references_of_other_resources_follow_the_name(cycle: Cycle) -> None:
    await cycle.submit(Sent.update(patient()))
    await cycle.run()
    visit = "PV1|1|I|MED3^311^B^STV||||||||||||||||V900101^^^STV^VN"
    await cycle.receive(message("2", "ADT^A01^ADT_A01", patient="80001", more=[visit]))
    await cycle.run()
    (encounter,) = cycle.fhir.of("Encounter")
    assert encounter["subject"]["reference"] == "Patient/fhir-1"


async def test_a_patient_of_the_hospital_needs_no_second_name(cycle: Cycle) -> None:
    await cycle.receive(message("1"))
    await cycle.run()
    (found,) = cycle.fhir.of("Patient")
    await cycle.submit(Sent.update({**found, "birthDate": "1984-02-13"}))
    await cycle.run()
    await cycle.receive(message("2", "ADT^A31^ADT_A05", phone="5550999"))
    await cycle.run()
    assert [one["id"] for one in cycle.fhir.of("Patient")] == [found["id"]]
    assert (await cycle.counts(TO_FHIR)).dead == 0
