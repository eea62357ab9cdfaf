"""An update never erases what v2 cannot say, or what somebody else has written since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.edges.fhir_client import Delivery
from connector.pipeline.identity import Ids

from ..pipeline.site import Sent, message
from .fhir_room import FhirRoom, fhir_room, report
from .fhir_server import FhirServer
from .partner_site import Asked, answer

WAYS: list[Delivery] = ["transaction", "batch", "each"]
PHOTO = [{"title": "kept"}]
Json = dict[str, Any]


def update(control_id: str, phone: str) -> str:
    return message(control_id, "ADT^A31^ADT_A05", phone=phone)


def patient(here: FhirRoom) -> Json:
    (found,) = here.server.of("Patient")
    return found


def key(here: FhirRoom) -> str:
    return f"Patient/{patient(here)['id']}"


@pytest.mark.parametrize("delivery", WAYS)
@pytest.mark.parametrize("ids", ["client", "server"])
async def test_what_somebody_else_wrote_is_read_and_kept(
    tmp_path: Path, ids: Ids, delivery: Delivery
) -> None:
    async with fhir_room(tmp_path, ids=ids, delivery=delivery) as here:
        await here.takes(message("1"))
        here.server.edit(key(here), photo=PHOTO)
        await here.takes(update("2", "5550202"))
        assert await here.state() == ("delivered", 1, "")
        assert patient(here)["photo"] == PHOTO
        assert "5550202" in str(patient(here))
        asked = len(here.server.requests)
        await here.takes(update("3", "5550303"))
        assert patient(here)["photo"] == PHOTO
        assert not [one for one in here.server.requests[asked:] if one.startswith("GET")]
        told = here.cycle.entries("delivery:fhir:acknowledged")
        assert [one["object"].get("revisions") for one in told] == [None, 1, None]


async def test_what_is_queued_behind_a_message_that_was_made_again_is_made_over_that(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"))
        here.server.edit(key(here), photo=PHOTO)
        for number in (2, 3, 4):
            await here.cycle.receive(update(str(number), f"555{number:04}"))
        asked = len(here.server.requests)
        await here.work()
        assert patient(here)["photo"] == PHOTO
        assert "5550004" in str(patient(here))
        assert len([one for one in here.server.requests[asked:] if one.startswith("GET")]) == 1
        known = await here.store.resource(here.cycle.link.name, key(here))
        assert known is not None
        assert b"kept" in known
        assert b"5550004" in known


async def test_a_version_that_the_fhir_side_told_needs_no_reading(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"))
        here.server.edit(key(here), photo=PHOTO)
        told = {**patient(here), "meta": {"versionId": "2", "lastUpdated": "2026-11-23T10:16:00Z"}}
        await here.cycle.submit(Sent.update(told))
        await here.cycle.run()
        await here.takes(update("2", "5550202"))
        assert not [one for one in here.server.requests if one.startswith("GET")]
        assert patient(here)["photo"] == PHOTO
        assert "versionId" not in str(patient(here))


async def test_what_was_deleted_there_comes_back_with_what_v2_says(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"))
        name = key(here)
        here.server.versions[name].append(None)
        await here.takes(update("2", "5550202"))
        assert (await here.state())[0] == "delivered"
        assert "5550202" in str(here.server.now(name))


@pytest.mark.parametrize("status", [409, 412])
async def test_what_changes_again_and_again_is_refused_in_the_end(tmp_path: Path, status: int) -> None:
    async with fhir_room(tmp_path, revisions=2) as here:
        await here.takes(message("1"))
        name = key(here)

        def faster(asked: Asked) -> bytes:
            if asked.method == "GET":
                return here.server(asked)
            here.server.edit(name, photo=[{"title": str(len(here.server.requests))}])
            return answer(status, {"resourceType": "OperationOutcome", "issue": [{"code": "conflict"}]})

        here.partner.replies = [faster]
        before = len(here.partner.asked)
        await here.takes(update("2", "5550202"))
        assert await here.state() == ("dead", 1, "PartnerRefusedMessage")
        methods = [one.method for one in here.partner.asked[before:]]
        assert methods.count("POST") == 3
        assert methods[-1] == "GET"
        assert patient(here)["photo"]


async def test_a_conflict_about_nothing_that_changed_is_tried_again_later(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"))
        here.partner.replies = [answer(409), here.server]
        await here.takes(update("2", "5550202"))
        assert await here.state() == ("queued", 1, "PartnerBusy")
        await here.later()
        assert await here.state() == ("delivered", 2, "")
        assert "5550202" in str(patient(here))


async def test_only_the_entry_that_changed_is_read(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(report("1"))
        (result,) = here.server.of("Observation")
        here.server.edit(f"Observation/{result['id']}", note=[{"text": "kept"}])
        await here.takes(report("2", value="8.1"))
        read = [one for one in here.server.requests if one.startswith("GET")]
        assert read == [f"GET Observation/{result['id']}"]
        (result,) = here.server.of("Observation")
        assert result["note"] == [{"text": "kept"}]
        assert str(result["valueQuantity"]["value"]) == "8.1"


async def test_lanes_do_not_fight_over_what_they_share(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, FhirServer(each=True), lane="patient") as here:
        for number in range(1, 25):
            await here.cycle.receive(report(str(number), value=str(number), patient=f"7{number % 8:04}"))
        await here.work()
        for number in range(30, 54):
            await here.cycle.receive(report(str(number), value=str(number), patient=f"7{number % 8:04}"))
        await here.work()
        assert {state for state, *_ in await here.states()} == {"delivered"}
        assert len(here.server.of("Observation")) == 8
        assert len(here.server.of("Organization")) < 8


@pytest.mark.parametrize("first", [False, True])
async def test_what_was_never_seen_is_read_first_where_the_profile_says_so(
    tmp_path: Path, first: bool
) -> None:
    async with fhir_room(tmp_path, read_first=first) as here:
        await here.takes(message("1"))
        name = key(here)
        here.cycle.rows("DELETE FROM journal_resource")
        here.server.edit(name, photo=PHOTO)
        await here.takes(update("2", "5550202"))
        assert ("photo" in patient(here)) is first
        assert "5550202" in str(patient(here))


async def test_without_if_match_the_last_one_wins_as_the_profile_asks(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, if_match=False) as here:
        await here.takes(message("1"))
        here.server.edit(key(here), photo=PHOTO)
        await here.takes(update("2", "5550202"))
        assert "photo" not in patient(here)
        assert not any(b"ifMatch" in one.body for one in here.partner.asked)


async def test_a_server_that_tells_no_versions_is_asked_for_none(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, FhirServer(tags=False, places=False)) as here:
        await here.takes(message("1"), update("2", "5550202"))
        assert "5550202" in str(patient(here))
        assert not any(b"ifMatch" in one.body for one in here.partner.asked)


async def test_a_fault_of_the_maps_over_what_stands_there_stops_nobody_else(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"))
        here.server.versions[key(here)].append({**patient(here), "name": [{"given": "no list"}, 5]})
        await here.takes(update("2", "5550202"), message("3", patient="70099"))
        (_, second, third) = await here.states()
        assert second[0] in ("dead", "delivered")
        assert third[0] == "delivered"


async def test_what_the_fhir_side_has_word_for_word_is_not_sent_again(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"), update("2", "5550202"))
        first, second = (json.loads(one.body)["entry"] for one in here.partner.asked)
        kinds = [{entry["resource"]["resourceType"] for entry in entries} for entries in (first, second)]
        assert "Organization" in kinds[0]
        assert kinds[1] == kinds[0] - {"Organization"}
        known = await here.store.resource(here.cycle.link.name, key(here))
        assert known is not None
        assert b"5550202" in known


async def test_what_is_still_on_its_way_is_not_left_out_of_what_follows(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, lane="patient") as here:
        await here.cycle.receive(message("1"))
        await here.cycle.receive(message("2", patient="70099"))
        await here.work()
        bodies = [json.loads(one.body)["entry"] for one in here.partner.asked]
        assert all("Organization" in str(entries) for entries in bodies)


@pytest.mark.parametrize("delivery", ["transaction", "batch"])
async def test_a_message_that_is_refused_without_what_was_left_out_is_sent_whole(
    tmp_path: Path, delivery: Delivery
) -> None:
    async with fhir_room(tmp_path, FhirServer(whole=True), delivery=delivery) as here:
        await here.takes(message("1"))
        before = here.server.of("Organization")
        for one in before:
            here.server.versions[f"Organization/{one['id']}"].append(None)
        await here.takes(update("2", "5550202"))
        assert (await here.state())[0] == "delivered"
        assert here.server.of("Organization") == before
        assert "5550202" in str(patient(here))
