"""What operators do over HTTPS, over a real store: what changes, what is audited, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.store import Delivery, State
from tests.store.site import LINK, TO_FHIR, head, queue, take

from .operator_site import SECRET, V2, WHY, OperatorSite, assert_problem, operating
from .test_operator_looks import clash

BUNDLE = b'{"resourceType": "Bundle", "type": "transaction"}'


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[OperatorSite]:
    async with operating(tmp_path) as running:
        yield running


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


# --- put back -------------------------------------------------------------------------------------------


async def test_messages_are_put_back_by_number_and_each_is_audited(site: OperatorSite) -> None:
    one, two = await site.dead("1"), await site.refused("2")
    answer = await site.post("/replay", {**WHY, "messages": [one.id], "deliveries": [two.id, two.id]})
    assert answer.json() == {"replayed": 2, "moved_on": {"messages": [], "deliveries": []}}
    assert [item.id for item in await site.store.pending(LINK, TO_FHIR, 10)] == [one.id]
    assert (await head(site.store)).id == two.id
    entries = site.audited()
    assert [entry["tag"] for entry in entries] == ["operator:message:replayed"] * 2
    assert {(entry["actor"]["name"], entry["object"]["because"]) for entry in entries} == {
        ("mia", "the partner is back")
    }


async def test_what_has_moved_on_is_told_and_the_rest_put_back(site: OperatorSite) -> None:
    one, two = await site.dead("1"), await site.dead("2")
    await site.post("/replay", {**WHY, "messages": [one.id]})
    again = await site.post("/replay", {**WHY, "messages": [one.id, two.id]})
    assert again.json() == {"replayed": 1, "moved_on": {"messages": [one.id], "deliveries": []}}
    assert_problem(await site.post("/replay", {**WHY, "messages": [one.id]}), 409, "MovedOn")


async def test_where_one_number_is_not_there_nothing_is_put_back(site: OperatorSite) -> None:
    one = await site.dead()
    answer = await site.post("/replay", {**WHY, "messages": [one.id, 4711]})
    assert_problem(answer, 404, "NothingThere")
    assert await site.store.pending(LINK, TO_FHIR, 10) == []
    assert site.audited("operator:message:replayed") == []


async def test_dead_letters_are_put_back_no_more_at_once_than_is_said(site: OperatorSite) -> None:
    for number in range(3):
        await site.dead(str(number), b"%d" % number)
    await site.refused("9")
    first = await site.post("/replay", {**WHY, "dead": True, "link": LINK, "limit": 3})
    assert first.json() == {"replayed": 3, "more": True}
    assert (await site.post("/replay", {**WHY, "dead": True})).json() == {"replayed": 1, "more": False}


async def test_a_state_and_what_narrows_it_choose_what_is_put_back(site: OperatorSite) -> None:
    await site.dead()
    body = {**WHY, "state": "dead", "to": "fhir", "kind": "ORU^R01"}
    assert (await site.post("/replay", body)).json()["replayed"] == 0
    body = {**WHY, "state": "dead", "kind": "ADT^A01", "since": "2026-01-01T00:00:00+01:00"}
    assert (await site.post("/replay", body)).json()["replayed"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"dead": True, "state": "dead"},
        {"messages": [1], "dead": True},
        {"messages": [1], "link": LINK},
        {"dead": True, "kind": "ADT^A01"},
        {"state": "queued"},
        {"messages": ["1"]},
        {"messages": [0]},
        {"messages": list(range(1, 502))},
        {"dead": 1},
        {"dead": True, SECRET: 1},
        {"dead": True, "limit": 1001},
        {"dead": True, "because": ""},
        {"dead": True, "because": SECRET + "\n"},
        {"dead": True, "because": None},
    ],
)
async def test_what_cannot_be_meant_is_refused_and_nothing_is_put_back(
    site: OperatorSite, body: dict[str, Any]
) -> None:
    await site.dead()
    assert_problem(await site.post("/replay", {**WHY, **body}), 422, "OperatorError")
    assert await site.store.pending(LINK, TO_FHIR, 10) == []


@pytest.mark.parametrize(
    ("content", "status", "name"),
    [
        (b"", 400, "InvalidJson"),
        (b"{", 400, "InvalidJson"),
        (b'{"because": "a", "because": "b", "delivery": 1}', 400, "InvalidJson"),
        (b'{"because": "\xff", "delivery": 1}', 400, "InvalidJson"),
        (b"[" * 200, 400, "InvalidJson"),
        (b"[]", 422, "OperatorError"),
        (b'"Everywoman"', 422, "OperatorError"),
        (b'{"because": "a", "delivery": 1.5}', 422, "OperatorError"),
        (b'{"because": "a", "delivery": 99999999999999999999999}', 422, "OperatorError"),
    ],
)
async def test_a_body_that_is_none_is_refused(
    site: OperatorSite, content: bytes, status: int, name: str
) -> None:
    async with site.client() as client:
        answer = await client.post("/skip", content=content, headers={"content-type": "application/json"})
    assert_problem(answer, status, name)


# --- decide ---------------------------------------------------------------------------------------------


async def test_a_refused_delivery_that_is_skipped_lets_its_lane_go_on(site: OperatorSite) -> None:
    one = await site.refused(stop=True)
    await queue(site.store, b"younger", control_id="2")
    assert (await site.post("/skip", {**WHY, "delivery": one.id})).json() == {"skipped": one.id}
    assert (await head(site.store)).payload == b"younger"
    assert_problem(await site.post("/skip", {**WHY, "delivery": one.id}), 409, "MovedOn")


async def test_a_corrected_copy_takes_the_place_of_a_message_that_is_kept(
    site: OperatorSite,
) -> None:
    one = await site.dead()
    answer = await site.post("/edit", {**WHY, "message": one.id, "content": base64_of(V2)})
    (item,) = await site.store.pending(LINK, TO_FHIR, 10)
    assert answer.json() == {"message": item.id}
    assert item.payload == V2
    original = await site.store.taken(one.id)
    assert original is not None
    assert original.state is State.REPLACED
    (entry,) = site.audited()
    assert (entry["tag"], entry["object"]["size"]) == ("operator:message:edited", len(V2))


async def test_a_corrected_copy_of_a_delivery_goes_out_in_its_place(site: OperatorSite) -> None:
    one = await site.refused(stop=True)
    answer = await site.post("/edit", {**WHY, "delivery": one.id, "content": base64_of(BUNDLE)})
    kept = await site.store.made(answer.json()["original"])
    assert kept is not None
    assert kept.delivery is Delivery.REPLACED
    assert (await head(site.store)).payload == BUNDLE


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ({"message": 1, "content": base64_of(b"PID|1||7||Everywoman")}, 400, "UnreadableMessage"),
        ({"message": 1, "content": "Everywoman!"}, 422, "OperatorError"),
        ({"content": base64_of(V2)}, 422, "OperatorError"),
        ({"message": 1, "delivery": 1, "content": base64_of(V2)}, 422, "OperatorError"),
        ({"message": 1}, 422, "OperatorError"),
        ({"message": 4711, "content": base64_of(V2)}, 404, "NothingThere"),
    ],
)
async def test_a_copy_that_is_none_is_refused_and_the_original_stays_as_it_is(
    site: OperatorSite, body: dict[str, Any], status: int, name: str
) -> None:
    one = await site.dead()
    assert one.id == 1
    assert_problem(await site.post("/edit", {**WHY, **body}), status, name)
    original = await site.store.taken(one.id)
    assert original is not None
    assert original.state is State.DEAD
    assert site.audited("operator:message:edited") == []


async def test_a_conflict_that_is_held_is_decided_once(site: OperatorSite) -> None:
    number = await clash(site)
    assert (await site.post(f"/conflicts/{number}", {**WHY, "winner": "fhir"})).json() == {"decided": number}
    assert_problem(await site.post(f"/conflicts/{number}", {**WHY, "winner": "v2"}), 409, "MovedOn")
    (listed,) = (await site.get("/conflicts", state="fhir")).json()["conflicts"]
    assert listed["number"] == number
    (entry,) = site.audited("conflict:decided")
    assert (entry["actor"]["name"], entry["object"]["winner"]) == ("mia", "fhir")


# --- hold back ------------------------------------------------------------------------------------------


async def test_a_direction_is_paused_and_resumed_by_the_same_words(site: OperatorSite) -> None:
    body = {**WHY, "link": LINK, "to": "fhir"}
    assert (await site.post("/pause", body)).json() == {"paused": LINK}
    (one,) = await site.store.pauses()
    assert (one.direction, one.by, one.intake) == (TO_FHIR, "mia", False)
    assert_problem(await site.post("/resume", {**WHY, "link": LINK}), 404, "NothingThere")
    assert (await site.post("/resume", body)).json() == {"resumed": LINK}
    assert await site.store.pauses() == []


async def test_a_link_that_is_drained_takes_nothing_more_and_says_what_waits(site: OperatorSite) -> None:
    await take(site.store)
    assert (await site.post("/drain", {**WHY, "link": LINK})).json() == {"waiting": 1}
    (one,) = await site.store.pauses()
    assert one.intake
    assert (await site.post("/resume", {**WHY, "link": LINK, "intake": True})).json() == {"resumed": LINK}


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ({"link": "nowhere"}, 404, "NothingThere"),
        ({}, 422, "OperatorError"),
        ({"link": LINK, "to": "fhir", "intake": True}, 422, "OperatorError"),
        ({"link": LINK, "to": "everywhere"}, 422, "OperatorError"),
    ],
)
async def test_only_what_there_is_can_be_paused(
    site: OperatorSite, body: dict[str, Any], status: int, name: str
) -> None:
    assert_problem(await site.post("/pause", {**WHY, **body}), status, name)
    assert await site.store.pauses() == []


async def test_the_audit_trail_of_the_api_verifies_and_holds_no_value(site: OperatorSite) -> None:
    from audit import verify

    one = await site.dead()
    await site.post("/edit", {**WHY, "message": one.id, "content": base64_of(V2)})
    await site.get("/messages", state=SECRET)
    assert verify(site.folder / "store.db").good
    assert SECRET not in json.dumps(site.audited())
