"""A store that the first version made opens, with everything in it where it stood."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

import connector.store.migrations as migrations
from audit import AuditLog, verify
from connector.errors import KeyUnavailable, Tampered
from connector.store import Direction, FileKeyProvider, Store, database
from connector.store.statement import micros
from tests.store.first_form import FirstKeys
from tests.store.site import LINK, NOW, TO_FHIR, draft, head, new_store, queue, rows, take

STATES = ("delivered", "dead", "replaced", "intended", "waiting", "waiting")
BACK = Direction.TO_V2


def _first(folder: Path) -> None:
    """A store as 0001 made it: messages in every state, in two directions."""
    keys = FirstKeys(folder / "kek.key")
    database.create(folder / "store.db")
    with database.engine(folder / "store.db").connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config = Config()
        config.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        audit = AuditLog()
        audit.install(connection, new=True)
        audit.append(connection, [draft()])
        connection.exec_driver_sql("INSERT INTO store_key VALUES (?)", (keys.key_id,))
        for number, (way, state) in enumerate(_taken(), start=1):
            _message(connection, keys, number, way, state)
        for number, (way, state) in enumerate(((way, s) for way in (TO_FHIR, BACK) for s in STATES), start=1):
            _made(connection, keys, number, way, state)
        _journal(connection, keys)
        connection.exec_driver_sql("COMMIT")


def _taken() -> list[tuple[Direction, str]]:
    return [
        (way, state) for way in (TO_FHIR, BACK) for state in ("waiting", "translated", "delivered", "dead")
    ]


def _insert(connection: Connection, table: str, **values: Any) -> None:
    names, places = ", ".join(values), ", ".join("?" * len(values))
    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(values.values()))  # noqa: S608


def _message(connection: Connection, keys: FirstKeys, number: int, way: Direction, state: str) -> None:
    sender = (way, LINK, "LAB", "NORTH", f"in{number}")
    content = keys.index("inbox.content", *sender, sha256(b"taken").hexdigest())
    record = keys.record("inbox", f"in{number}:{content.hex()}", LINK)
    _insert(
        connection, "inbox", uid=f"in{number}", link=LINK, direction=str(way),
        control=keys.index("inbox.control", *sender),
        content=content, state=state, reason="", received_at=micros(NOW), data_key=record.wrapped,
        meta=record.seal("meta", b"{}"), answer=record.seal("answer", b"AA"),
        lost=record.seal("lost", msgspec.json.encode(["PID-2"])), payload=record.seal("payload", b"taken"),
    )  # fmt: skip


def _made(connection: Connection, keys: FirstKeys, number: int, way: Direction, state: str) -> None:
    record = keys.record("outbox", f"out{number}:{way}", LINK)
    wait = micros(NOW + dt.timedelta(minutes=1)) if way is BACK and state == "intended" else 0
    _insert(
        connection, "outbox", uid=f"out{number}", inbox_id=2 if way is TO_FHIR else 6, link=LINK,
        direction=str(way), state=state, reason="", attempts=3, next_attempt_at=wait,
        data_key=record.wrapped, meta=record.seal("meta", b"{}"),
        payload=record.seal("payload", f"made {number}".encode()),
    )  # fmt: skip


def _journal(connection: Connection, keys: FirstKeys) -> None:
    resource = keys.index("journal_resource.resource", LINK, "Patient/1")
    spoken = keys.index("journal_message.resource", LINK, "Patient/1", "ADT")
    known = keys.record("journal_resource", resource.hex(), LINK)
    said = keys.record("journal_text", "text", LINK)
    _insert(
        connection, "journal_resource", resource=resource, link=LINK, data_key=known.wrapped,
        content=known.seal("content", b"{}"),
    )  # fmt: skip
    _insert(
        connection, "journal_text", uid="text", link=LINK, data_key=said.wrapped,
        message=said.seal("message", (1).to_bytes(4, "big") + spoken + b"MSH|prior"),
    )  # fmt: skip
    _insert(connection, "journal_message", resource=spoken, family="ADT", text_uid="text")


async def test_the_states_of_the_first_version_are_told_in_the_words_of_the_second(tmp_path: Path) -> None:
    _first(tmp_path)
    await new_store(tmp_path).close()
    found = rows(tmp_path, "SELECT delivery, acknowledgment FROM outbox WHERE id < 7 ORDER BY id")
    assert found == [
        ("delivered", "positive"),
        ("dead", "negative"),
        ("replaced", "negative"),
        ("sending", "pending"),
        ("queued", "pending"),
        ("queued", "pending"),
    ]
    taken = rows(tmp_path, "SELECT direction, state FROM inbox ORDER BY id")
    assert taken == [(str(way), state) for way, state in _taken()]
    assert {row[0] for row in rows(tmp_path, "SELECT acknowledgment FROM inbox")} == {"not owed"}
    assert verify(tmp_path / "store.db").good


async def test_what_was_open_stands_in_the_lane_of_its_link_in_order(tmp_path: Path) -> None:
    _first(tmp_path)
    store = new_store(tmp_path)
    try:
        lanes = await store.lanes()
        assert lanes == []  # no counts, no links: they are not made up
        waiting = await store.queue(LINK, TO_FHIR, NOW, 9)
        assert [(one.id, one.payload, one.unsure) for one in waiting] == [
            (4, b"made 4", True),
            (5, b"made 5", False),
            (6, b"made 6", False),
        ]
        assert [one.id for one in await store.heads(LINK, TO_FHIR, NOW, 9)] == [4]
        assert await store.heads(LINK, BACK, NOW, 9) == []  # its head waits for its time
        later = NOW + dt.timedelta(minutes=1)
        assert [one.id for one in await store.heads(LINK, BACK, later, 9)] == [10]
        assert await store.next_due(LINK, BACK, NOW) == later
    finally:
        await store.close()
    assert sorted(rows(tmp_path, "SELECT head, depth FROM lane")) == [(4, 3), (10, 3)]


async def test_work_goes_on_in_it(tmp_path: Path) -> None:
    _first(tmp_path)
    store = new_store(tmp_path)
    try:
        assert (await take(store, "new")).id == 9
        assert [one.id for one in await store.pending(LINK, TO_FHIR, 9)] == [1, 9]
        for number in (4, 5, 6):
            item = await head(store)
            assert item.id == number
            await store.delivered(item.id, NOW, [], [draft()])
        await store.replay_delivery(2, [draft()])
        assert (await head(store)).id == 2
        await queue(store, b"more", control_id="more")
        assert [one.id for one in await store.queue(LINK, TO_FHIR, NOW, 9)] == [2, 13]
    finally:
        await store.close()


@pytest.mark.parametrize("index", ["inbox_once", "outbox_of_inbox", "lane_due"])
async def test_nothing_of_the_first_version_is_left(tmp_path: Path, index: str) -> None:
    _first(tmp_path)
    await new_store(tmp_path).close()
    names = {row[0] for row in rows(tmp_path, "SELECT name FROM sqlite_master")}
    assert index in names
    assert not {name for name in names if "0001" in name}


async def test_what_the_first_version_had_encrypted_is_read_and_found(tmp_path: Path) -> None:
    _first(tmp_path)
    for _ in range(2):
        store = new_store(tmp_path)
        try:
            assert (await store.pending(LINK, TO_FHIR, 9))[0].payload == b"taken"
            assert [one.lost for one in await store.recent(9)] == [["PID-2"]] * 8
            assert await store.resource(LINK, "Patient/1") == b"{}"
            assert await store.prior_message(LINK, "Patient/1", "ADT") == b"MSH|prior"
            again = await take(store, "in1", b"taken")
            assert (again.id, again.duplicate, again.answer) == (1, True, b"AA")
        finally:
            await store.close()
    found = rows(tmp_path, "SELECT partner, day, uses FROM wrapped_key ORDER BY uses")
    assert {one[0] for one in found} == {"", LINK}
    assert sum(one[2] for one in found) == 22  # the journal has no times, so it is of today
    for table in ("inbox", "outbox", "journal_resource", "journal_text"):
        assert {row[0][:1] for row in rows(tmp_path, f"SELECT data_key FROM {table}")} == {b"\x02"}  # noqa: S608


async def test_the_key_of_a_first_store_may_be_changed_and_taken_away(tmp_path: Path) -> None:
    _first(tmp_path)
    keys = FileKeyProvider(tmp_path / "kek.key")
    old, _ = keys.key_id, keys.rotate()
    await new_store(tmp_path).close()
    keys.forget(old)
    store = new_store(tmp_path)
    assert (await store.pending(LINK, TO_FHIR, 9))[0].payload == b"taken"
    assert (await take(store, "in1", b"taken")).duplicate
    await store.close()


def test_a_first_store_is_not_taken_over_with_another_key_or_with_one_that_was_moved(tmp_path: Path) -> None:
    _first(tmp_path)
    other = FileKeyProvider.create(tmp_path / "other.key")
    before = rows(tmp_path, "SELECT data_key FROM inbox")
    with pytest.raises(KeyUnavailable):
        Store.open(tmp_path / "store.db", other, AuditLog())
    assert rows(tmp_path, "SELECT data_key FROM inbox") == before
    assert rows(tmp_path, "SELECT version_num FROM alembic_version") == [("0001",)]
    rows(tmp_path, "UPDATE inbox SET data_key = (SELECT data_key FROM inbox WHERE id = 2) WHERE id = 1")
    with pytest.raises(Tampered):
        new_store(tmp_path)
