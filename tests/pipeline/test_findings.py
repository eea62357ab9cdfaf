"""What keeps messages back, found over a real store."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from connector.pipeline.findings import Finding, age, look
from connector.pipeline.refusals import Refusal
from connector.store import Direction, Paused, Store
from tests.store.site import LINK, NOW, TO_FHIR, draft, head, open_store, queue, take

WAYS = [(LINK, TO_FHIR), (LINK, Direction.TO_V2)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    await opened.close()


async def found(store: Store, known: Mapping[str, bool | str] | None = None, **more: str) -> list[Finding]:
    conditions = {f"{LINK} {way}": said for way, said in more.items()}
    return await look(store, WAYS, known or {}, NOW + dt.timedelta(hours=3), conditions)


async def test_where_nothing_is_blocked_that_is_said_with_what_is_on_its_way(store: Store) -> None:
    await take(store)
    (one,) = await found(store)
    assert (one.kind, one.needs_a_person) == ("nothing", False)
    assert "1 on their way" in one.text


async def test_a_stopped_lane_is_told_with_the_delivery_that_stops_it(store: Store) -> None:
    await queue(store, b"a bundle")
    item = await head(store)
    await store.intent(item.id, 1, NOW, [])
    await store.refused(item.id, "PartnerRefusedMessage", [])
    (one,) = await found(store)
    assert (one.kind, one.link, one.direction, one.delivery) == ("stopped", LINK, "to_fhir", item.id)
    assert "will never take this message" in one.text
    assert f"connector skip {item.id}" in one.helps
    assert one.needs_a_person


async def test_what_is_tried_again_by_itself_is_told_with_its_age_and_next_attempt(store: Store) -> None:
    await queue(store, b"a bundle")
    item = await head(store)
    await store.intent(item.id, 1, NOW, [])
    await store.retry(item.id, NOW + dt.timedelta(hours=4), "PartnerUnreachable", [])
    (one,) = await found(store)
    assert (one.kind, one.needs_a_person) == ("failing", False)
    assert "the oldest for 3 h" in one.text
    assert "again at 2026-11-23 14:15:00Z" in one.text


async def test_a_pause_is_told_only_to_who_asks_for_its_direction(store: Store) -> None:
    await store.pause(Paused(LINK, TO_FHIR, "mia", "new certificate", NOW), [draft()])
    (one,) = await found(store)
    assert (one.kind, one.direction) == ("paused", "to_fhir")
    assert "by mia" in one.text
    other = await look(store, WAYS[1:], {}, NOW)
    assert [one.kind for one in other] == ["nothing"]


async def test_parts_that_do_not_work_are_told_with_what_that_means(store: Store) -> None:
    known = {"service": "does not answer", f"{LINK} to_v2": "PartnerRefusedUs"}
    service, held = await found(store, known)
    assert (service.kind, held.kind) == ("service", "held")
    assert "connector serve" in service.helps
    assert "(The partner does not let us in" in held.text


@pytest.mark.parametrize("condition", ["window", "open", "half-open"])
async def test_what_waits_on_purpose_is_told_where_something_waits(store: Store, condition: str) -> None:
    assert [one.kind for one in await found(store, to_fhir=condition)] == ["nothing"]
    await queue(store, b"a bundle")
    (one,) = await found(store, to_fhir=condition, to_v2="window")
    assert (one.kind, one.direction, one.needs_a_person) == ("waits", "to_fhir", False)


async def test_dead_letters_are_counted(store: Store) -> None:
    row = (await take(store)).id
    await store.untranslatable(row, "SegmentSequence", [])
    (one,) = await found(store)
    assert (one.kind, one.needs_a_person) == ("letters", True)
    assert "1 dead letters" in one.text


def test_ages_are_said_in_the_unit_that_fits() -> None:
    said = [age(NOW, NOW + dt.timedelta(seconds=seconds)) for seconds in (-5, 119, 120, 7_200, 172_800)]
    assert said == ["0 s", "119 s", "2 min", "2 h", "2 d"]


def test_a_scan_needs_nobody_and_a_partner_that_is_kept_out_does() -> None:
    def told(reason: str, tag: str = "tls:handshake:refused") -> Refusal:
        return Refusal(tag, "mllp", reason, "10.0.0.5", "", "", 1, "", "")

    assert not told("handshake timeout").of_a_partner
    assert not told("closed during the handshake").of_a_partner
    assert told("certificate: certificate revoked").of_a_partner
    assert told("tls: TLSV1_ALERT_UNKNOWN_CA").of_a_partner
    assert told("certificate revoked", "tls:connection:cut").of_a_partner
    assert "pin the certificate" in told("certificate: unable to get local issuer certificate").helps
