"""Nothing that came in a message can be read in any file of the store, nor moved about in it unnoticed."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from audit import Tag
from connector.errors import ConnectorError, Tampered
from connector.store import Clash, Delivery, Filter, InboxKey, JournalEntry, Outgoing, Received, Store
from tests.store.site import LINK, NOW, TO_FHIR, draft, head, open_store, rows, take

CANARY = "CANARY"


def _canary(name: str) -> str:
    return f"{CANARY}-{name}-Müller^Änne-19700101"


def _bytes(name: str) -> bytes:
    return _canary(name).encode() * 3


async def _fill(store: Store) -> None:
    """Every method that writes, with a canary in every value that may come from a message."""
    key = InboxKey(LINK, *(_canary(name) for name in ("application", "facility", "control", "digest")))
    message = Received(LINK, TO_FHIR, key, _bytes("payload"), {_canary("name"): _canary("meta")}, NOW)
    for n in range(3):
        each = dataclasses.replace(key, control_id=_canary(f"control{n}"))
        await store.accept(dataclasses.replace(message, key=each), _bytes("answer"), [draft()])
    await store.accept(dataclasses.replace(message, key=each), _bytes("answer"), [draft()])
    await store.quarantine(LINK, _bytes("quarantine"), "UnreadableMessage", "sha256:aa", NOW, [draft()])
    await store.refuse(LINK, TO_FHIR, "UnsupportedEvent", NOW, [draft()])
    first, second, third = await store.pending(LINK, TO_FHIR, 9)
    journal = [JournalEntry(LINK, _canary("Patient/x"), _bytes("content"), _bytes("message"), "ADT")]
    outgoing = [Outgoing(_bytes("outgoing"), {"key": _canary("outgoing meta")})] * 2
    lanes = (_canary("lane"), _canary("lane2"))
    clash = Clash(LINK, _canary("Patient/y"), "Patient.name", _bytes("clash"), "v2", "held", NOW)
    await store.translated(first.id, outgoing, [_canary("lost")], journal, [draft(Tag.MESSAGE_V2_TRANSLATED)])
    await store.untranslatable(second.id, "DataTypeFault", [draft()])
    await store.translated(third.id, outgoing, [], journal * 2, [draft(Tag.MESSAGE_V2_TRANSLATED)])
    await store.intent((await head(store)).id, 1, NOW, [draft()])
    await store.delivered((await head(store)).id, NOW, journal, [draft()])
    await store.dead((await head(store)).id, "PartnerRefusedMessage", [draft()])
    await store.retry((await head(store)).id, NOW, "PartnerBusy", [draft()])
    await store.revise(second.id, _bytes("copy"), NOW, [draft(Tag.OPERATOR_MESSAGE_EDITED)])
    (copy,) = await store.pending(LINK, TO_FHIR, 9)
    await store.translated(
        copy.id, [Outgoing(_bytes("laned"), {}, lanes)], [], [], [draft(Tag.MESSAGE_V2_TRANSLATED)]
    )
    await store.clash([clash], [draft()])
    last = (await store.find_made(Filter(LINK, TO_FHIR, delivery=Delivery.QUEUED), 9))[-1]
    await store.refused(last.id, "PartnerRefusedMessage", [draft()])
    await store.revise_delivery(
        last.id, _bytes("mended"), [draft(Tag.OPERATOR_MESSAGE_EDITED)], {"key": _canary("mended meta")}
    )
    await store.expect(LINK, _canary("sender"), 5, [draft()])


async def test_no_file_holds_a_word_of_a_message(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await _fill(store)
    _nothing_readable(tmp_path, {"store.db", "store.db-wal"})
    assert (await store.recent(9))[0].lost == [_canary("lost")]
    await store.close()
    _nothing_readable(tmp_path, {"store.db"})


def _nothing_readable(folder: Path, expected: set[str]) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert files.keys() >= expected
    assert LINK.encode() in files["store.db"] + files.get("store.db-wal", b"")  # what is not secret is seen
    for name, content in files.items():
        for word in (CANARY, "Müller", "19700101", "Änne"):
            for encoding in ("utf-8", "utf-16-le", "utf-16-be", "latin-1"):
                assert word.encode(encoding) not in content, name


async def test_no_error_repeats_a_word_of_a_message(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    key = InboxKey(LINK, "A", "B", _canary("control"), "x")
    message = Received(LINK, TO_FHIR, key, _bytes("payload"), {"m": _canary("meta")}, NOW, "same-uid")
    await store.accept(message, b"", [])
    other = dataclasses.replace(key, digest="y")
    for asked in (
        store.accept(dataclasses.replace(message, key=other), b"", []),
        store.accept(dataclasses.replace(message, key=other), b"", [], refuse_reused=True),
        store.accept(dataclasses.replace(message, uid="", key=other), b"", [draft(x={_canary("set")})]),
    ):
        with pytest.raises(ConnectorError) as refused:
            await asked
        error: BaseException | None = refused.value
        while error is not None:
            assert CANARY not in f"{error} {error!r} {error.args} {vars(error)}"
            error = error.__cause__ or error.__context__
    await store.close()


def _swap(folder: Path, table: str, column: str, where: str = "1") -> None:
    """Exchange a column between the first two rows, as somebody with the file could."""
    connection = sqlite3.connect(folder / "store.db", isolation_level=None)
    query = f"SELECT rowid, {column} FROM {table} WHERE {where} ORDER BY rowid LIMIT 2"  # noqa: S608
    (one, first), (two, second) = connection.execute(query).fetchall()
    connection.execute(f"UPDATE {table} SET {column} = x'00' || {column} WHERE rowid = ?", (one,))  # noqa: S608
    for row, value in ((two, first), (one, second)):
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row))  # noqa: S608
    connection.close()


async def _two_of_everything(store: Store) -> None:
    for n in ("1", "2"):
        await take(store, f"open{n}", b"payload" + n.encode())
        row = (await take(store, f"done{n}", b"payload" + n.encode())).id
        journal = [JournalEntry(LINK, f"Patient/{n}", b"content" + n.encode(), b"MSH|" + n.encode(), "ADT")]
        await store.translated(row, [Outgoing(b"out" + n.encode())], ["PID-" + n], journal, [])


async def _read_everything(store: Store) -> None:
    for link in (LINK, "other"):
        await store.pending(link, TO_FHIR, 9)
    await store.recent(9)
    for n in ("1", "2"):
        await take(store, f"open{n}", b"payload" + n.encode())
        await take(store, f"done{n}", b"payload" + n.encode())
        await store.resource(LINK, f"Patient/{n}")
        await store.prior_message(LINK, f"Patient/{n}", "ADT")
    for listed in await store.recent(9):
        await store.payload(listed.id)
    while (item := await store.due(LINK, TO_FHIR, NOW)) is not None:
        await store.dead(item.id, "X", [])


@pytest.mark.parametrize(
    ("table", "column"),
    [
        *(("inbox", name) for name in ("uid", "content", "data_key", "payload", "answer", "meta")),
        *(("outbox", name) for name in ("uid", "data_key", "payload", "meta")),
        *(("journal_resource", name) for name in ("resource", "data_key", "content")),
        *(("journal_text", name) for name in ("data_key", "message")),
    ],
)
async def test_what_is_moved_to_another_row_is_found(tmp_path: Path, table: str, column: str) -> None:
    store = open_store(tmp_path)
    await _two_of_everything(store)
    await store.close()
    _swap(tmp_path, table, column)
    store = open_store(tmp_path)
    with pytest.raises(Tampered):
        await _read_everything(store)
    await store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE inbox SET link = 'other'",
        "UPDATE outbox SET payload = meta",
        "UPDATE outbox SET direction = 'to_fhir', payload = (SELECT payload FROM inbox)",
        "UPDATE inbox SET payload = answer",
        "UPDATE inbox SET payload = substr(payload, 1, 10)",
        "UPDATE inbox SET payload = x''",
        "UPDATE inbox SET data_key = x'01'",
        "UPDATE journal_text SET message = (SELECT content FROM journal_resource)",
    ],
)
async def test_what_is_altered_is_found(tmp_path: Path, sql: str) -> None:
    store = open_store(tmp_path)
    await _two_of_everything(store)
    rows(tmp_path, sql)
    with pytest.raises(ConnectorError) as found:
        await _read_everything(store)
    assert type(found.value).__name__ in ("Tampered", "KeyUnavailable")
    await store.close()


async def test_a_message_is_not_given_out_for_another_resource(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await _two_of_everything(store)
    rows(tmp_path, "UPDATE journal_message SET text_uid = (SELECT max(uid) FROM journal_text)")
    found: list[Any] = []
    for n in ("1", "2"):
        try:
            found.append(await store.prior_message(LINK, f"Patient/{n}", "ADT"))
        except Tampered as error:
            found.append(error.location)
    assert len(set(found) & {b"MSH|1", b"MSH|2"}) == 1
    assert "journal_message.text_uid" in found
    await store.close()
