"""An update that tells of something older than what is known is never applied in silence."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from connector.errors import StaleUpdate
from connector.hl7v2.tree import Message
from connector.pipeline.staleness import check, told_at
from tests.store.site import rows

from .room import TO_FHIR, adt, room

NOON = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)


def said(event_at: str, made_at: str = "20261123130000+0000") -> Message:
    return Message.parse(rf"MSH|^~\&|A|B|C|D|{made_at}||ADT^A31|1|P|2.5.1" + f"\rEVN|A31|{event_at}\r")


def at(time: str, identity: str, **more: str) -> str:
    return adt("A31", identity, **more).replace("20261123101500", f"20261123{time}")


def translated(folder: Path) -> list[bool]:
    """Of each translation in order: whether the audit trail says that it came too late."""
    found = rows(folder, "SELECT entry FROM audit_entry WHERE entry LIKE '%v2:translated%' ORDER BY seq")
    return [json.loads(entry)["object"].get("stale", False) for (entry,) in found]


@pytest.mark.parametrize(
    ("event_at", "made_at", "expected"),
    [
        ("20261123120000+0000", "20261123130000+0000", NOON),
        ("20261123120000", "20261123130000", NOON),
        ("20261123130000+0100", "", NOON),
        ("", "20261123120000+0000", NOON),
        ("20261123", "20261123120000+0000", NOON),
        ("", "", None),
        ("nonsense", "20261123", None),
    ],
)
def test_the_event_says_when_it_happened_or_else_the_message(
    event_at: str, made_at: str, expected: dt.datetime | None
) -> None:
    assert told_at(said(event_at, made_at), None) == expected


def test_what_does_not_say_when_it_happened_is_never_stale() -> None:
    earlier = NOON - dt.timedelta(seconds=1)
    assert check(earlier, NOON, refuse=False)
    for told, known in ((None, NOON), (NOON, None), (NOON, NOON), (NOON, earlier)):
        assert not check(told, known, refuse=True)
    with pytest.raises(StaleUpdate):
        check(earlier, NOON, refuse=True)


async def test_an_older_update_is_applied_and_flagged_unless_the_profile_refuses_it(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        for time, identity in (("101500", "C1"), ("101400", "C2"), ("101501", "C3"), ("101500", "C4")):
            await here.ack(at(time, identity, family=identity))
        await here.work(TO_FHIR)
        assert translated(tmp_path) == [False, True, False, True]
        assert len(here.fhir.patients()) == 4


async def test_an_older_update_is_a_dead_letter_where_the_profile_says_so(tmp_path: Path) -> None:
    async with room(tmp_path, authority__stale='"refuse"') as here:
        for time, identity in (("101500", "C1"), ("101400", "C2"), ("101500", "C3")):
            await here.ack(at(time, identity, family=identity))
        await here.work(TO_FHIR)
        assert [one["name"][0]["family"] for one in here.fhir.patients()] == ["C1", "C3"]
        (letters, _) = await here.store.dead_letters("demo", TO_FHIR)
        assert [one.reason for one in letters] == ["StaleUpdate"]


async def test_another_patients_clock_says_nothing(tmp_path: Path) -> None:
    async with room(tmp_path, authority__stale='"refuse"') as here:
        await here.ack(at("101500", "C1"))
        await here.ack(at("101400", "C2", patient="H2^^^STV^MR"))
        await here.work(TO_FHIR)
        assert len(here.fhir.patients()) == 2
