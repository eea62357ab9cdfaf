"""The hospital as deliveries see it: what is asked for, what is answered, what is discarded and told."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from connector.edges.hospital import Discarded, Heard, HospitalSide, committed_of, mode_of, timeouts_of
from connector.errors import AnswerNotUnderstood, NoAnswer, StoreUnavailable
from connector.hl7v2.ack import Fault
from connector.log import ALLOWED
from connector.mllp import Mode, Stray, StrayAnswer
from connector.profile.receiver import V2Acknowledgments, V2Receiver
from connector.store import Acknowledgment
from tests.faults.mllp_partner import MllpPartner, Step, after, answer, commits, says
from tests.mllp.loopback import Site, message, until

NOW = dt.datetime(2026, 11, 23, 10, 15, tzinfo=dt.UTC)
COMMIT = {"accept": "AL", "application": "AL"}
APPLICATION = {**COMMIT, "delivered": "application"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def to(port: int = 1, acknowledgments: dict[str, Any] | None = None, **more: Any) -> V2Receiver:
    asked = V2Acknowledgments.model_validate({"application_seconds": 0.4, **(acknowledgments or {})})
    return V2Receiver(
        host="127.0.0.1",
        port=port,
        server_name="localhost",
        receiving_application="HIS",
        receiving_facility="STV",
        acknowledgment_seconds=0.3,
        acknowledgments=asked,
        **more,
    )


@asynccontextmanager
async def hospital(
    site: Site, *plan: Step, heard: Heard | None = None, **settings: Any
) -> AsyncIterator[tuple[HospitalSide, MllpPartner]]:
    partner = MllpPartner(site.server_context())
    partner.plan.extend(plan)
    async with partner.running():
        receiver = to(partner.port, **settings)
        side = HospitalSide.of("demo", receiver, site.client_context(), lambda: NOW, lambda: "f" * 32, heard)
        try:
            yield side, partner
        finally:
            await side.close()


async def test_the_whole_answer_is_read(site: Site) -> None:
    async with hospital(site, answer("AE", "103", place="PID^1^8")) as (side, _):
        said = await side.send(message("1"), "1")
        assert (said.code, said.control_id, said.errors) == ("AE", "1", (Fault("103", "PID-8", "E"),))


async def test_an_answer_without_a_header_is_not_understood(site: Site) -> None:
    async with hospital(site, says(lambda heard: b"\x0bMSA|AA|1\r\x1c\r")) as (side, _):
        with pytest.raises(AnswerNotUnderstood):
            await side.send(message("1"), "1")


@pytest.mark.parametrize(
    ("asked", "mode", "committed"),
    [
        ({}, Mode.ORIGINAL, Acknowledgment.POSITIVE),
        (APPLICATION, Mode.APPLICATION, Acknowledgment.POSITIVE),
        (COMMIT, Mode.COMMIT, Acknowledgment.PENDING),
        ({"accept": "AL", "application": "SU"}, Mode.COMMIT, Acknowledgment.PENDING),
        ({"accept": "AL", "application": "ER"}, Mode.COMMIT, Acknowledgment.NOT_OWED),
        ({"accept": "SU", "application": "NE"}, Mode.COMMIT, Acknowledgment.NOT_OWED),
    ],
)
def test_the_profile_says_which_answer_ends_a_delivery_and_what_it_leaves_open(
    asked: dict[str, Any], mode: Mode, committed: Acknowledgment
) -> None:
    assert (mode_of(to(acknowledgments=asked)), committed_of(to(acknowledgments=asked))) == (mode, committed)


def test_where_no_commit_tells_of_success_the_application_has_its_time_at_once() -> None:
    only = {"accept": "ER", "application": "AL", "delivered": "application"}
    assert timeouts_of(to(acknowledgments=only)).answer == 0.4
    assert timeouts_of(to(acknowledgments=APPLICATION)).answer == 0.3


@pytest.mark.parametrize(
    ("wants", "confirmed"), [("AL|NE", ["A2"]), ("SU|NE", ["A2"]), ("NE|NE", []), ("", [])]
)
async def test_an_application_acknowledgment_is_confirmed_where_it_asks_for_it(
    site: Site, wants: str, confirmed: list[str]
) -> None:
    async with hospital(site, commits("AA", wants=wants), acknowledgments=APPLICATION) as (side, partner):
        assert (await side.send(message("1"), "1")).code == "AA"
        await side.send(message("2"), "2")  # behind the confirmation, if there was one
        assert partner.confirmed == confirmed
        assert partner.got == ["1", "2"]


async def test_in_original_mode_no_acknowledgment_is_ever_acknowledged(site: Site) -> None:
    aa = says(lambda heard: heard.ack("AA", wants="AL|AL"))
    async with hospital(site, aa) as (side, partner):
        await side.send(message("1"), "1")
        await side.send(message("2"), "2")
        assert partner.confirmed == []


async def test_what_comes_afterwards_is_heard_and_then_confirmed(site: Site) -> None:
    said, kept = [], asyncio.Event()

    async def heard(control_id: str, code: str) -> None:
        said.append((control_id, code))
        await kept.wait()

    plan = (commits("AE", later=0.05),)
    async with hospital(site, *plan, heard=heard, acknowledgments=COMMIT) as (side, partner):
        with capture_logs() as logged:
            assert (await side.send(message("1"), "1")).code == "CA"
            await until(lambda: said == [("1", "AE")])
        assert partner.confirmed == []
        kept.set()
        await until(lambda: partner.confirmed == ["A2"])
    assert [line["event"] for line in logged] == ["a committed message was refused later"]


@pytest.mark.parametrize(("code", "answers"), [("AA", True), ("AE", True), ("CA", False), ("ZZ", False)])
async def test_an_application_acknowledgment_may_come_over_a_connection_of_the_partner(
    site: Site, code: str, answers: bool
) -> None:
    async with hospital(site, commits(""), acknowledgments=APPLICATION) as (side, partner):
        sending = asyncio.create_task(side.send(message("1"), "1"))
        await until(lambda: partner.said == 1)
        assert not side.heard("AA", "2")
        assert side.heard(code, "1") is answers
        if answers:
            assert (await sending).code == code
        else:
            with pytest.raises(NoAnswer):
                await sending
        assert not side.heard("AA", "1")


async def test_in_original_mode_nothing_is_heard_over_another_connection(site: Site) -> None:
    async with hospital(site, after(0.1, answer("AA"))) as (side, partner):
        sending = asyncio.create_task(side.send(message("1"), "1"))
        await until(lambda: partner.got == ["1"])
        assert not side.heard("AE", "1")
        assert (await sending).code == "AA"


async def test_what_could_not_be_kept_is_not_confirmed(site: Site) -> None:
    tried = asyncio.Event()

    async def heard(control_id: str, code: str) -> None:
        tried.set()
        raise StoreUnavailable("the disk is full")

    async with hospital(site, commits("AA"), heard=heard, acknowledgments=COMMIT) as (side, partner):
        with capture_logs() as logged:
            await side.send(message("1"), "1")
            await tried.wait()
            await side.send(message("2"), "2")
        assert partner.confirmed == []
    assert [line["event"] for line in logged] == ["an application acknowledgment could not be kept"]


async def test_discarded_answers_are_counted_and_told_without_a_value(site: Site) -> None:
    strange = says(
        lambda heard: heard.ack("AA", identity="Smith"), lambda heard: heard.ack("AA", more="|Smith")
    )
    async with hospital(site, *[strange] * 3) as (side, _):
        with capture_logs() as logged:
            for number in range(3):
                await side.send(message(str(number)), str(number))
        assert dict(side.strays) == {Stray.UNKNOWN: 3}
    assert [(line["code"], line["state"], line["count"]) for line in logged] == [
        ("AA", "unknown", 1),
        ("AA", "unknown", 2),
    ]
    assert all(set(line) - {"log_level"} <= ALLOWED for line in logged)
    assert "Smith" not in repr(logged)


def test_a_partner_that_answers_everything_twice_does_not_fill_the_log() -> None:
    discarded = Discarded("demo")
    with capture_logs() as logged:
        for _ in range(1000):
            discarded(StrayAnswer(Stray.DUPLICATE, "AA", "1", b""))
    assert [line["count"] for line in logged] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
