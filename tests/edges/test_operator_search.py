"""Looking for a patient's messages over HTTPS: who may, what is on record, and nothing in an address."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.store import About, Kind, Outgoing
from tests.store.site import ANSWER, draft, received

from .operator_site import SECRET, OperatorSite, assert_problem, operating

WHY = {"because": "the patient asks"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[OperatorSite]:
    async with operating(tmp_path) as opened:
        yield opened


async def about(site: OperatorSite, control_id: str, *said: About) -> int:
    one = dataclasses.replace(received(control_id), about=frozenset(said))
    row = (await site.store.accept(one, ANSWER, [draft()])).id
    await site.store.translated(row, [Outgoing(b"{}", {"kind": "ADT^A01"})], [], [], [])
    return row


async def test_messages_are_found_for_a_reason_and_on_record_by_a_pseudonym(site: OperatorSite) -> None:
    first = await about(site, "1", About(Kind.MRN, SECRET, "urn:id:STV"), About(Kind.CONTROL_ID, "1"))
    await about(site, "2", About(Kind.MRN, SECRET, "urn:id:LAB"))
    answer = (await site.post("/search", {"mrn": SECRET.lower(), **WHY})).json()
    assert [one["number"] for one in answer["messages"]] == [first, first + 1]
    assert [one["of_message"] for one in answer["deliveries"]] == [first, first + 1]
    answer = (await site.post("/search", {"mrn": f"{SECRET}^^^&urn:id:STV&URI", **WHY})).json()
    assert [one["number"] for one in answer["messages"]] == [first]
    answer = (await site.post("/search", {"control_id": "1", "limit": 1, **WHY})).json()
    assert (answer["messages"][0]["number"], answer["next"]) == (first, first)
    entries = site.audited("operator:content:searched")
    assert [one["object"]["kind"] for one in entries] == ["mrn", "mrn", "control id"]
    assert len({one["object"]["pseudonym"] for one in entries}) == 2
    assert SECRET.upper() not in str(entries).upper()


@pytest.mark.parametrize(
    "body",
    [{}, {"mrn": "1", "account": "1"}, {"mrn": ""}, {"mrn": "x" * 251}, {"name": SECRET}, {"mrn": [SECRET]}],
)
async def test_what_is_not_one_thing_is_refused(site: OperatorSite, body: dict[str, Any]) -> None:
    assert_problem(await site.post("/search", {**WHY, **body}), 422, "OperatorError")
    assert site.audited("operator:content:searched") == []


async def test_a_reason_is_needed_and_the_scope_that_sees_content(site: OperatorSite) -> None:
    assert_problem(await site.post("/search", {"mrn": "1"}), 422, "OperatorError")
    reads = site.token("operator:read operator:act operator:edit")
    assert_problem(await site.post("/search", {"mrn": "1", **WHY}, reads), 403, "Forbidden")
    assert (await site.get("/search", mrn="1")).status_code in (404, 405)


async def test_nothing_is_found_that_could_not_be_put_on_record(
    site: OperatorSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    await about(site, "1", About(Kind.MRN, "1"))

    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("audit.AuditLog.append", refuse)
    answer = await site.post("/search", {"mrn": "1", **WHY})
    assert_problem(answer, 503, "AuditRefused")
