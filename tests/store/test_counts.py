"""The counts are kept, not counted: so they are held against a count, whatever happens in which order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import verify
from connector.errors import ConnectorError
from connector.store import Counts, Direction, Outgoing, Store
from tests.store.site import LINK, NOW, TO_FHIR, draft, number, open_store, queue, rows, take

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
    "replay delivery",
    "replay translation",
)
_steps = st.lists(
    st.tuples(st.sampled_from(_STEPS), st.integers(0, 5), st.sampled_from(Direction)), max_size=40
)


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
            await store.translated(item.id, made, [], [], [draft()])


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
    for way in Direction:
        kept = (await store.counts()).get((LINK, way), Counts())
        assert kept.reconciled
        assert _counted(folder, way) == {name: getattr(kept, name) for name in _counted(folder, way)}
    await store.close()
    assert verify(folder / "store.db").good


def _counted(folder: Path, way: Direction) -> dict[str, int]:
    def of(table: str, *states: str) -> int:
        among = ", ".join(f"'{state}'" for state in states)
        return number(folder, f"{table} WHERE direction = '{way}' AND state IN ({among})")

    return {
        "received": number(folder, f"inbox WHERE direction = '{way}'"),
        "waiting_translation": of("inbox", "waiting"),
        "waiting_delivery": of("inbox", "translated"),
        "delivered": of("inbox", "delivered"),
        "dead": of("inbox", "dead"),
        "queued": of("outbox", "waiting", "intended"),
        "sent": of("outbox", "delivered"),
        "parked": of("outbox", "dead"),
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


async def test_what_waits_is_found_by_index_however_much_lies_behind(store: Store, tmp_path: Path) -> None:
    from connector.store import inbox, outbox

    await queue(store, b"x")
    for statement, index in (
        (inbox._PENDING, "inbox_waiting"),
        (inbox._DEAD, "inbox_dead"),
        (inbox._SEEN, "inbox_once"),
        (outbox._HEAD, "outbox_open"),
        (outbox._DEAD, "outbox_dead"),
        (outbox._STATES, "outbox_of_inbox"),
        (outbox._REPLACE, "outbox_of_inbox"),
    ):
        values = [1] * statement.text.count("?")
        plan = " ".join(row[3] for row in rows(tmp_path, f"EXPLAIN QUERY PLAN {statement.text}", values))
        assert f"INDEX {index} " in plan, plan
        assert "SCAN inbox" not in plan
        assert "SCAN outbox" not in plan
        assert "TEMP B-TREE" not in plan, plan
