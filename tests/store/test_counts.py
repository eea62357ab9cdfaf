"""The counts are kept, not counted: so they are held against a count, whatever happens in which order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import Tag, verify
from connector.errors import ConnectorError
from connector.store import Counts, Direction, Outgoing, Store
from tests.store.site import LINK, NOW, TO_FHIR, draft, number, open_store, take

WAYS = (TO_FHIR, Direction.TO_V2)
_STEPS = (
    "take",
    "again",
    "refuse",
    "quarantine",
    "translate",
    "nothing",
    "untranslatable",
    "deliver",
    "intend",
    "retry",
    "dead",
    "refused",
    "skip",
    "revise",
    "revise delivery",
    "replay delivery",
    "replay translation",
)
_steps = st.lists(st.tuples(st.sampled_from(_STEPS), st.integers(0, 5), st.sampled_from(WAYS)), max_size=40)


async def _step(store: Store, step: str, n: int, way: Direction) -> None:
    match step:
        case "take" | "again":
            await take(store, str(n), bytes([n]), direction=way)
        case "refuse":
            await store.refuse(LINK, way, "X", NOW, [draft()])
        case "quarantine":
            await store.quarantine(LINK, b"?", "X", "f", NOW, [draft()])
        case "replay delivery":
            await store.replay_delivery(n + 1, [draft()])
        case "skip":
            await store.skip(n + 1, [draft()])
        case "revise":
            await store.revise(n + 1, b"mended", NOW, [draft(Tag.OPERATOR_MESSAGE_EDITED)])
        case "revise delivery":
            await store.revise_delivery(n + 1, b"mended", [draft(Tag.OPERATOR_MESSAGE_EDITED)])
        case "replay translation":
            await store.replay_translation(n + 1, [draft()])
        case "translate" | "nothing" | "untranslatable":
            await _translate(store, step, n, way)
        case _:
            await _deliver(store, step, way)


async def _translate(store: Store, step: str, n: int, way: Direction) -> None:
    for item in await store.pending(LINK, way, 1):
        if step == "untranslatable":
            await store.untranslatable(item.id, "X", [draft()])
        else:
            made = [Outgoing(b"x")] * n if step == "translate" else []
            await store.translated(item.id, made, [], [], [draft(Tag.MESSAGE_V2_TRANSLATED)])


async def _deliver(store: Store, step: str, way: Direction) -> None:
    item = await store.due(LINK, way, NOW)
    if item is None:
        return
    match step:
        case "deliver":
            await store.delivered(item.id, NOW, [], [draft()])
        case "intend":
            await store.intent(item.id, item.attempts + 1, NOW, [draft()])
        case "retry":
            await store.retry(item.id, NOW, "X", [draft()])
        case "dead":
            await store.dead(item.id, "X", [draft()])
        case "refused":
            await store.refused(item.id, "X", [draft()])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_steps)
async def test_the_counts_are_right_whatever_happens(
    tmp_path_factory: Any, steps: list[tuple[str, int, Direction]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("counts")
    store = open_store(folder)
    for step, n, way in steps:
        try:
            await _step(store, step, n, way)
        except ConnectorError:
            continue
    for way in WAYS:
        kept = (await store.counts()).get((LINK, way), Counts())
        assert kept.reconciled
        assert _counted(folder, way) == {name: getattr(kept, name) for name in _counted(folder, way)}
    await store.close()
    assert verify(folder / "store.db").good


def _counted(folder: Path, way: Direction) -> dict[str, int]:
    def of(table: str, *states: str) -> int:
        among = ", ".join(f"'{state}'" for state in states)
        column = "state" if table == "inbox" else "delivery"
        return number(folder, f"{table} WHERE direction = '{way}' AND {column} IN ({among})")

    return {
        "received": number(folder, f"inbox WHERE direction = '{way}' AND version_of IS NULL"),
        "waiting_translation": of("inbox", "waiting"),
        "waiting_delivery": of("inbox", "translated"),
        "delivered": of("inbox", "delivered"),
        "dead": of("inbox", "dead"),
        "queued": of("outbox", "queued", "sending"),
        "sent": of("outbox", "delivered"),
        "parked": of("outbox", "dead"),
        "stopped": of("outbox", "refused"),
    }


async def test_counts_are_by_link_and_direction(store: Store) -> None:
    assert await store.counts() == {}
    await asyncio.gather(take(store, "1"), take(store, "2", link="other"), take(store, "1"))
    await take(store, "3", direction=Direction.TO_V2)
    counts = await store.counts()
    assert counts[LINK, TO_FHIR] == Counts(received=1, waiting_translation=1, duplicates=1)
    assert (
        counts["other", TO_FHIR] == counts[LINK, Direction.TO_V2] == Counts(received=1, waiting_translation=1)
    )


def test_a_message_that_went_missing_does_not_reconcile() -> None:
    assert Counts(received=2, delivered=1, dead=1).reconciled
    assert not Counts(received=2, delivered=1).reconciled
    assert not Counts(received=1, delivered=2, dead=-1).reconciled
