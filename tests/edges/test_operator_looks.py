"""What operators see over HTTPS: where messages stand, and what they say only for a reason."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.store import Clash, Direction, searching
from tests.store.site import LINK, NOW, draft, queue, take

from .operator_site import SECRET, V2, OperatorSite, assert_problem, operating

SIDES = {"v2": {"name": [{"family": SECRET}]}, "fhir": {}}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[OperatorSite]:
    async with operating(tmp_path) as running:
        yield running


async def clash(site: OperatorSite, number: int = 1) -> int:
    kept = Clash(
        LINK,
        f"Patient/{SECRET}",
        "Patient.name",
        json.dumps(SIDES).encode(),
        "hold",
        "held",
        NOW,
        uid=f"c{number}",
    )
    await site.store.clash([kept], [draft()])
    return (await site.store.clashes(LINK, "held"))[-1].id


async def test_lanes_are_listed_those_that_stopped_first(site: OperatorSite) -> None:
    made = await site.refused(stop=True)
    await queue(site.store, b"younger", control_id="2")
    answer = await site.get("/lanes", link=LINK, to="fhir")
    (lane,) = answer.json()["lanes"]
    assert (lane["head"], lane["depth"], lane["blocked"], lane["delivery"]) == (
        made.id,
        2,
        "stopped",
        "refused",
    )
    assert lane["oldest"] == "2026-11-23T10:15:00.123456Z"
    assert answer.headers["content-type"] == "application/json"
    assert (await site.get("/lanes", to="v2")).json() == {"lanes": []}


async def test_findings_say_what_keeps_messages_back_and_what_helps(site: OperatorSite) -> None:
    site.parts["demo to_v2"] = "PartnerRefusedUs"
    made = await site.refused(stop=True)
    found = (await site.get("/findings")).json()["findings"]
    assert [(one["kind"], one["needs_a_person"]) for one in found] == [("stopped", True), ("held", True)]
    assert found[0]["delivery"] == made.id
    only = (await site.get("/findings", to="answer")).json()["findings"]
    assert [one["kind"] for one in only] == ["nothing"]


async def test_a_window_that_is_closed_is_found(site: OperatorSite) -> None:
    await queue(site.store, b"a bundle")
    site.conditions["demo to_fhir"] = "window"
    (found,) = (await site.get("/findings")).json()["findings"]
    assert (found["kind"], found["needs_a_person"]) == ("waits", False)


async def test_the_counts_reconcile_and_the_parts_say_how_they_are(site: OperatorSite) -> None:
    site.parts["demo to_fhir"] = True
    await site.dead()
    said = (await site.get("/counts")).json()
    (way,) = said["links"]
    assert (way["link"], way["direction"], way["received"], way["dead"]) == (LINK, "to_fhir", 1, 1)
    assert way["reconciled"] is True
    assert said["parts"] == {"demo to_fhir": True}


async def test_received_messages_are_listed_by_where_they_stand_without_what_they_say(
    site: OperatorSite,
) -> None:
    one = await site.dead()
    await take(site.store, "2", V2 + b"2")
    answer = await site.get("/messages", state="dead", kind="ADT^A01", reason="SegmentSequence")
    (listed,) = answer.json()["messages"]
    assert (listed["number"], listed["state"], listed["correlation"]) == (one.id, "dead", one.uid)
    assert SECRET not in answer.text
    assert (await site.get(f"/messages/{one.id}")).json() == listed
    assert (await site.get("/messages", reason="MessageError")).json() == {"messages": []}
    assert len((await site.get("/messages", state="waiting")).json()["messages"]) == 1
    until = await site.get("/messages", until="2026-11-23T10:15:00Z")
    assert until.json() == {"messages": []}


async def test_made_messages_are_listed_by_where_they_stand(site: OperatorSite) -> None:
    made = await site.refused()
    (listed,) = (await site.get("/deliveries", state="dead")).json()["deliveries"]
    assert (listed["number"], listed["of_message"], listed["attempts"]) == (made.id, made.inbox_id, 1)
    assert listed["reason"] == "PartnerRefusedMessage"
    assert (await site.get(f"/deliveries/{made.id}")).json() == listed


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
async def test_pages_follow_each_other_over_all_directions_however_little_is_read_at_once(
    site: OperatorSite, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(searching, "PIECE", piece)
    numbers = []
    for number in range(7):
        way = Direction.TO_V2 if number in (1, 2, 3) else Direction.TO_FHIR
        taken = await take(site.store, str(number), b"%d" % number, direction=way)
        if number % 2:
            await site.store.untranslatable(taken.id, "SegmentSequence" if number > 1 else "Other", [])
            numbers += [taken.id] * (number > 1)
    seen, after, pages = [], 0, 0
    while after is not None:
        asked = {"reason": "SegmentSequence", "limit": 2, "after": after}
        page = (await site.get("/messages", **asked)).json()
        seen += [one["number"] for one in page["messages"]]
        after, pages = page.get("next"), pages + 1
        assert pages < 20
    assert seen == numbers


async def test_pauses_are_listed_with_who_and_why(site: OperatorSite) -> None:
    body = {"because": "new certificate", "link": LINK, "to": "fhir"}
    assert (await site.post("/pause", body)).json() == {"paused": LINK}
    (one,) = (await site.get("/pauses")).json()["pauses"]
    assert (one["link"], one["direction"], one["by"], one["reason"]) == (
        LINK,
        "to_fhir",
        "mia",
        "new certificate",
    )


# --- what messages say ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["messages", "deliveries"])
async def test_what_a_message_says_is_shown_for_a_reason_that_is_audited(
    site: OperatorSite, kind: str
) -> None:
    one = await (site.dead() if kind == "messages" else site.refused())
    answer = await site.post(f"/{kind}/{one.id}/content", {"because": "the partner asks"})
    said = answer.json()
    content = base64.b64decode(said["content"])
    assert SECRET.encode() in content
    assert said["size"] == len(content)
    assert answer.headers["content-type"] == "application/json"
    (entry,) = site.audited()
    assert entry["tag"] == "operator:content:viewed"
    assert entry["object"]["number"] == one.id
    assert entry["object"]["because"] == "the partner asks"
    actor = {name: entry["actor"][name] for name in ("role", "name", "client", "certificate")}
    assert actor == {"role": "operator", "name": "mia", "client": "console", "certificate": site.fingerprint}


@pytest.mark.parametrize("because", [None, "", "  ", "x" * 201, "a\nb"])
async def test_without_a_good_reason_nothing_is_shown(site: OperatorSite, because: str | None) -> None:
    one = await site.dead()
    body = {} if because is None else {"because": because}
    answer = await site.post(f"/messages/{one.id}/content", body)
    assert "because" in assert_problem(answer, 422, "OperatorError")["fix"]
    assert site.audited("operator:content:viewed") == []


async def test_nothing_is_shown_that_could_not_be_audited(
    site: OperatorSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connector.errors import AuditRefused

    async def refuse(*_: object) -> None:
        raise AuditRefused("the audit log takes nothing")

    one = await site.dead()
    monkeypatch.setattr(site.store, "record", refuse)
    answer = await site.post(f"/messages/{one.id}/content", {"because": "the partner asks"})
    assert_problem(answer, 503, "AuditRefused")


async def test_a_conflict_is_listed_by_its_element_and_shown_for_a_reason(site: OperatorSite) -> None:
    number = await clash(site)
    answer = await site.get("/conflicts")
    (listed,) = answer.json()["conflicts"]
    assert (listed["number"], listed["resource_type"], listed["element"]) == (
        number,
        "Patient",
        "Patient.name",
    )
    assert SECRET not in answer.text
    assert (await site.get(f"/conflicts/{number}")).json() == listed
    shown = (await site.post(f"/conflicts/{number}/content", {"because": "to decide"})).json()
    assert (shown["sides"], shown["resource"]) == (SIDES, f"Patient/{SECRET}")
    assert [one["tag"] for one in site.audited()] == ["operator:content:viewed"]


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/messages?limit=501", "http.url.limit"),
        ("/messages?limit=0", "http.url.limit"),
        ("/messages?state=Everywoman", "http.url.state"),
        ("/messages?since=2026-01-01T00:00:00", "http.url.since"),
        ("/messages?Everywoman=1", "http.url"),
        ("/messages?limit=1&limit=2", "http.url"),
        ("/lanes?to=Everywoman", "http.url.to"),
        ("/messages/1?because=x", "http.url"),
        ("/messages?after=-1", "http.url.after"),
        ("/messages?after=99999999999999999999", "http.url.after"),
    ],
)
async def test_what_is_not_taken_is_refused_at_its_place(site: OperatorSite, path: str, place: str) -> None:
    said = assert_problem(await site.get(path), 422, "OperatorError")
    assert said["location"] == place
    (entry,) = site.audited()
    assert entry["tag"] == "operator:request:refused"
    assert (entry["reason"], entry["object"]["location"]) == ("OperatorError", place)
    assert SECRET not in json.dumps(entry)


@pytest.mark.parametrize(
    "path",
    [
        "/messages/4711",
        "/deliveries/4711",
        "/conflicts/4711",
        "/messages/0",
        "/messages/Everywoman",
        f"/messages/{10**30}",
        f"/messages/{'9' * 3000}",
        "/messages/%D9%A1",
        "/lanes?link=Everywoman",
    ],
)
async def test_what_is_not_there_is_told(site: OperatorSite, path: str) -> None:
    assert_problem(await site.get(path), 404, "NothingThere")


async def test_a_reason_in_an_address_is_refused(site: OperatorSite) -> None:
    one = await site.dead()
    answer = await site.post(f"/messages/{one.id}/content?because=x", {"because": "x"})
    assert_problem(answer, 422, "OperatorError")


async def test_the_content_of_what_is_not_there_is_not_shown(site: OperatorSite) -> None:
    assert_problem(await site.post("/messages/4711/content", {"because": "x"}), 404, "NothingThere")


async def test_a_fault_of_ours_is_an_answer_without_its_text(
    site: OperatorSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr(site.store, "taken", fail)
    assert_problem(await site.get("/messages/1"), 500, "ConnectorError")
