"""Who chooses the ids: nothing is created twice, references follow, and the way back knows the names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.edges.fhir_client import Delivery
from connector.pipeline.identity import Ids

from ..pipeline.site import Sent, message
from .fhir_room import SYSTEM, VISIT, FhirRoom, fhir_room, report
from .fhir_server import FhirServer

WAYS: list[Delivery] = ["transaction", "batch", "each"]
BY_SERVER: list[Ids] = ["conditional", "server"]


def server() -> FhirServer:
    """One that lets no client choose an id, and no reference lead nowhere."""
    return FhirServer(client_ids=False, whole=True)


def admission(control_id: str = "2", phone: str = "5550101") -> str:
    return message(control_id, "ADT^A01^ADT_A01", phone=phone, more=[VISIT])


@pytest.mark.parametrize("delivery", WAYS)
@pytest.mark.parametrize("ids", BY_SERVER)
async def test_the_server_chooses_the_ids_and_references_follow(
    tmp_path: Path, ids: Ids, delivery: Delivery
) -> None:
    async with fhir_room(tmp_path, server(), ids=ids, delivery=delivery) as here:
        await here.takes(message("1"), admission(), report())
        assert [state for state, *_ in await here.states()] == ["delivered"] * 3
        (patient,), (visit,) = here.server.of("Patient"), here.server.of("Encounter")
        (result,), (about,) = here.server.of("Observation"), here.server.of("DiagnosticReport")
        assert all(one["id"].startswith("s1") for one in (patient, visit, result, about))
        assert visit["subject"]["reference"] == f"Patient/{patient['id']}"
        assert result["subject"]["reference"] == f"Patient/{patient['id']}"
        assert about["result"] == [{"reference": f"Observation/{result['id']}"}]
        assert "urn:uuid" not in str(here.server.versions).replace(SYSTEM, "")


@pytest.mark.parametrize("delivery", WAYS)
@pytest.mark.parametrize("ids", BY_SERVER)
async def test_the_same_again_creates_nothing(tmp_path: Path, ids: Ids, delivery: Delivery) -> None:
    async with fhir_room(tmp_path, server(), ids=ids, delivery=delivery) as here:
        await here.takes(report("1"))
        before = here.server.count()
        await here.takes(report("2"))
        after = {key: n for key, n in here.server.count().items() if key.partition("/")[0] != "MessageHeader"}
        assert after == {key: n for key, n in before.items() if key.partition("/")[0] != "MessageHeader"}


@pytest.mark.parametrize("delivery", WAYS)
@pytest.mark.parametrize("ids", BY_SERVER)
async def test_after_a_crash_before_the_answer_was_kept_nothing_is_created_twice(
    tmp_path: Path, ids: Ids, delivery: Delivery
) -> None:
    async with fhir_room(tmp_path, server(), ids=ids, delivery=delivery) as here:
        await here.cycle.receive(report())
        await _crash_after_sending(here)
        before = here.server.count()
        here.restart()
        await here.work()
        assert (await here.state())[0] == "delivered"
        assert here.server.count() == before
        await here.takes(report("10", value="8.1"))
        (result,) = here.server.of("Observation")
        assert str(result["valueQuantity"]["value"]) == "8.1"
        assert len(here.server.of("Patient")) == len(here.server.of("DiagnosticReport")) == 1


async def _crash_after_sending(here: FhirRoom) -> None:
    """The server has done everything; the process dies before it can write that down."""
    store = here.store
    kept = store.delivered, store.remember

    async def dies(*args: Any, **more: Any) -> None:
        raise RuntimeError("the power fails")

    store.delivered = store.remember = dies  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await here.work()
    store.delivered, store.remember = kept  # type: ignore[method-assign]


async def test_what_has_no_identifier_is_known_by_one_of_ours(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, server(), ids="server") as here:
        await here.takes(report())
        (result,), (patient,) = here.server.of("Observation"), here.server.of("Patient")
        (ours,) = result["identifier"]
        assert ours["system"] == SYSTEM
        assert len(ours["value"]) == 32
        assert SYSTEM not in str(patient)
        (header,) = here.server.of("MessageHeader")
        assert [tag["system"] for tag in header["meta"]["tag"]].count(SYSTEM) == 1


@pytest.mark.parametrize("ids", BY_SERVER)
async def test_a_resource_of_somebody_else_is_found_and_keeps_what_v2_cannot_say(
    tmp_path: Path, ids: Ids
) -> None:
    there = server()
    identifier = {"system": "urn:oid:2.999.1.1", "value": "70012"}
    there.versions["Patient/old"] = [
        {"resourceType": "Patient", "id": "old", "identifier": [identifier], "photo": [{"title": "kept"}]}
    ]
    async with fhir_room(tmp_path, there, ids=ids, read_first=True) as here:
        await here.takes(message("1"))
        (patient,) = there.of("Patient")
        assert patient["id"] == "old"
        assert patient["photo"] == [{"title": "kept"}]
        assert patient["name"][0]["family"] == "Beispiel"


async def test_a_create_that_finds_something_updates_it(tmp_path: Path) -> None:
    there = server()
    identifier = {"system": "urn:oid:2.999.1.1", "value": "70012"}
    there.versions["Patient/old"] = [
        {"resourceType": "Patient", "id": "old", "identifier": [identifier], "active": True}
    ]
    async with fhir_room(tmp_path, there, ids="server") as here:
        await here.takes(message("1"))
        (patient,) = there.of("Patient")
        assert (patient["id"], patient["active"], patient["gender"]) == ("old", True, "female")


async def test_several_under_one_identifier_are_for_a_person(tmp_path: Path) -> None:
    there = server()
    identifier = {"system": "urn:oid:2.999.1.1", "value": "70012"}
    for name in ("a", "b"):
        there.versions[f"Patient/{name}"] = [
            {"resourceType": "Patient", "id": name, "identifier": [identifier]}
        ]
    async with fhir_room(tmp_path, there, ids="server") as here:
        await here.takes(message("1"))
        assert await here.state() == ("dead", 1, "PartnerRefusedMessage")
        assert here.server.count() == {"Patient/a": 1, "Patient/b": 1}


@pytest.mark.parametrize("ids", BY_SERVER)
@pytest.mark.parametrize("delivery", WAYS)
async def test_an_answer_without_a_location_is_made_up_for_by_a_search(
    tmp_path: Path, ids: Ids, delivery: Delivery
) -> None:
    there = FhirServer(client_ids=False, places=False)
    async with fhir_room(tmp_path, there, ids=ids, delivery=delivery) as here:
        await here.takes(message("1"), message("2", "ADT^A31^ADT_A05", phone="5550777"))
        (patient,) = there.of("Patient")
        assert "5550777" in str(patient)


@pytest.mark.parametrize("searches", [False, True])
async def test_what_is_not_sent_is_referred_to_by_its_identifier(tmp_path: Path, searches: bool) -> None:
    there = server()
    identifier = {"system": "urn:oid:2.999.1.1", "value": "70012"}
    there.versions["Patient/old"] = [{"resourceType": "Patient", "id": "old", "identifier": [identifier]}]
    omit = frozenset({"Patient"})
    async with fhir_room(tmp_path, there, ids="server", searches=searches, omit=omit) as here:
        await here.takes(report())
        (result,) = there.of("Observation")
        subject = result["subject"]
        if searches:
            assert subject["reference"] == "Patient/old"
        else:
            assert subject["identifier"] == identifier
            assert "reference" not in subject


async def test_the_way_back_knows_the_servers_names_and_not_our_identifiers(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, server(), ids="server") as here:
        await here.takes(message("1"), report())
        (patient,), (result,) = here.server.of("Patient"), here.server.of("Observation")
        await here.cycle.submit(Sent.update({**patient, "birthDate": "1984-02-13"}))
        await here.cycle.submit(Sent.update({**result, "status": "corrected"}))
        await here.cycle.run()
        changed, corrected = (payload.decode() for _, payload in here.cycle.hospital.got)
        assert "ADT^A31" in changed
        assert "70012^^^STV^MR" in changed
        assert "19840213" in changed
        assert "ORU^R01" in corrected
        assert "70012" in corrected
        assert SYSTEM not in changed + corrected
        assert result["identifier"][0]["value"] not in corrected


async def test_messages_that_were_translated_before_the_first_answer_come_to_the_same(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, server(), ids="server") as here:
        for number, phone in enumerate(("5550101", "5550202", "5550303"), start=1):
            kind = "ADT^A28^ADT_A05" if number == 1 else "ADT^A31^ADT_A05"
            await here.cycle.receive(message(str(number), kind, phone=phone))
        await here.work()
        assert [state for state, *_ in await here.states()] == ["delivered"] * 3
        (patient,) = here.server.of("Patient")
        assert "5550303" in str(patient)
        assert len(here.server.versions[f"Patient/{patient['id']}"]) == 3
        known = await here.store.resource(here.cycle.link.name, f"Patient/{patient['id']}")
        assert known is not None
        assert b"5550303" in known


@pytest.mark.parametrize("delivery", WAYS)
@pytest.mark.parametrize("ids", BY_SERVER)
async def test_resources_that_refer_to_one_another_find_each_other(
    tmp_path: Path, ids: Ids, delivery: Delivery
) -> None:
    diagnosis = "DG1|1||I10^Hypertension^I10||20261123101500+0100|A"
    there = FhirServer(client_ids=False, whole=True)
    async with fhir_room(tmp_path, there, ids=ids, delivery=delivery) as here:
        await here.takes(message("1", "ADT^A01^ADT_A01", more=[VISIT, diagnosis]))
        assert (await here.state())[0] == "delivered"
        (visit,), (condition,) = there.of("Encounter"), there.of("Condition")
        assert visit["diagnosis"][0]["condition"] == {"reference": f"Condition/{condition['id']}"}
        assert condition["encounter"] == {"reference": f"Encounter/{visit['id']}"}
        before = there.count()
        await here.takes(message("2", "ADT^A08^ADT_A01", more=[VISIT, diagnosis]))
        assert {**before, **there.count()} == there.count()
        assert len(there.of("Encounter")) == len(there.of("Condition")) == 1
