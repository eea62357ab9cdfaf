"""What is erased can be read by nobody, in no file; all else goes on, and the audit log still verifies."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from audit import Tag, verify
from connector.errors import Erased, MovedOn
from connector.store import About, Clash, Filter, JournalEntry, Kind, Outgoing, State, Store
from tests.store.site import ANSWER, LINK, NOW, TO_FHIR, draft, head, open_store, received, rows
from tests.store.test_rotating import told

SYSTEM = "https://stv.example/mrn"
DAY = dt.timedelta(days=1)
PATIENT = {"scope": "patient", "pseudonym": "ab"}


async def whole(store: Store, n: str, mrn: str = "1", at: dt.datetime = NOW, *, done: bool = True) -> int:
    """A message of a patient with all that may be kept of one; ``done``: delivered."""
    payload = f"MSH|{n}|".encode() * 400  # reaches into overflow pages
    one = dataclasses.replace(
        received(n, payload), received_at=at, about=frozenset({About(Kind.MRN, mrn, SYSTEM)})
    )
    row = (await store.accept(one, ANSWER, [draft()])).id
    journal = [JournalEntry(LINK, f"Patient/{mrn}", b"content" + n.encode(), payload, "ADT")]
    await store.translated(
        row, [Outgoing(b"made" + n.encode(), {"n": n}, ("l" + n,))], ["PID-2"], journal, []
    )
    (item,) = [one for one in await store.heads(LINK, TO_FHIR, NOW, 99) if one.inbox_id == row]
    clash = Clash(LINK, f"Patient/{mrn}", "Patient.name", b"{}", "v2", "lost", NOW, source=item.uid)
    await store.clash([clash], [draft()])
    if done:
        await store.delivered(item.id, NOW, journal[:1], [draft()])
    return row


def wrapped(folder: Path, row: int) -> list[bytes]:
    """Every wrapped data key that there is for a message."""
    found = rows(folder, "SELECT data_key FROM inbox WHERE id = ?", (row,))
    found += rows(folder, "SELECT data_key FROM outbox WHERE inbox_id = ?", (row,))
    for table in ("journal_text", "journal_resource"):
        found += rows(folder, f"SELECT data_key FROM {table} WHERE inbox_id = ?", (row,))  # noqa: S608
    found += rows(
        folder,
        "SELECT data_key FROM conflict WHERE source IN (SELECT uid FROM outbox WHERE inbox_id = ?)",
        (row,),
    )
    return [one[0] for one in found]


def left(folder: Path, keys: list[bytes]) -> list[str]:
    """The files of the store in which one of the keys is still to be found."""
    return [
        path.name for path in folder.glob("store.db*") for key in keys if key and key in path.read_bytes()
    ]


async def test_a_patients_messages_are_erased_wherever_they_are(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    mine = [await whole(store, n, "1", NOW + int(n) * DAY) for n in ("1", "2")]
    other = await whole(store, "3", "2")
    keys = [key for row in mine for key in wrapped(tmp_path, row)]
    assert len(keys) == 8  # inbox, outbox and conflict of both; the journal keeps the last word
    assert left(tmp_path, keys)
    gone = await store.erase_about([About(Kind.MRN, "1", SYSTEM)], told, PATIENT)
    assert (gone.records, gone.log) == (2, True)
    assert left(tmp_path, keys) == []
    for row in mine:
        with pytest.raises(Erased):
            await store.payload(row)
    assert await store.payload(other) == b"MSH|3|" * 400
    assert await store.resource(LINK, "Patient/1") is None
    assert await store.prior_message(LINK, "Patient/1", "ADT") is None
    assert await store.resource(LINK, "Patient/2") == b"content3"
    assert [one.resource for one in await store.clashes(LINK, "lost")] == ["Patient/2"]
    assert (await store.about([About(Kind.MRN, "1")], [draft()]))[0] == []
    assert (await store.erase_about([About(Kind.MRN, "1", SYSTEM)], told, PATIENT)).records == 0
    assert [one.meta for one in await store.recent(9)] == [{}, {}, {"kind": "ADT^A01"}]
    assert {one.reconciled for one in (await store.counts()).values()} == {True}
    await store.close()
    assert verify(tmp_path / "store.db").good
    (entry,) = rows(tmp_path, "SELECT entry FROM audit_entry WHERE entry ->> '$.tag' = 'store:erased'")
    assert '"records":[1,2]' in entry[0]
    assert SYSTEM not in entry[0]


async def test_what_is_still_to_be_delivered_is_refused_and_nothing_is_erased(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    done, waits = await whole(store, "1"), await whole(store, "2", done=False)
    about = [About(Kind.MRN, "1", SYSTEM)]
    with pytest.raises(MovedOn, match="even-waiting"):
        await store.erase_about(about, told, PATIENT)
    assert await store.payload(done) == b"MSH|1|" * 400
    assert (await store.erase_about(about, told, PATIENT, even_waiting=True)).records == 2
    assert await store.heads(LINK, TO_FHIR, NOW, 9) == []  # its lanes go on without it
    taken = await store.taken(waits)
    assert taken is not None
    assert (taken.state, taken.reason) == (State.DEAD, "Erased")
    assert {one.reconciled for one in (await store.counts()).values()} == {True}
    await store.close()


@pytest.mark.parametrize("state", ["waiting", "owed", "refused", "sending"])
async def test_nothing_that_waits_in_any_way_goes_out_after_it_was_erased(tmp_path: Path, state: str) -> None:
    store = open_store(tmp_path)
    one = dataclasses.replace(received("1"), owed=state == "owed")
    row = (await store.accept(one, ANSWER, [draft()])).id
    if state in ("refused", "sending"):
        await store.translated(row, [Outgoing(b"made")], [], [], [])
        item = await head(store)
        await store.intent(item.id, 1, NOW, [])
        if state == "refused":
            await store.refused(item.id, "PartnerRefusedMessage", [])
    elif state == "owed":
        await store.translated(row, [], [], [], [])
    with pytest.raises(MovedOn):
        await store.erase_record(row, told)
    await store.erase_record(row, told, even_waiting=True)
    assert await store.pending(LINK, TO_FHIR, 9) == []
    assert await store.owed(LINK, 9) == []
    assert await store.heads(LINK, TO_FHIR, NOW, 9) == []
    assert await store.dead_letters(LINK, TO_FHIR) == ([*(await store.find(_dead()))], [])
    for made in await store.find_made(Filter(LINK, TO_FHIR)):
        assert made.meta == {}
        with pytest.raises(Erased):
            await store.replay_delivery(made.id, [draft()])
    with pytest.raises(Erased):
        await store.replay_translation(row, [draft()])
    with pytest.raises(Erased):  # the first answer is gone
        await store.accept(one, ANSWER, [draft()])
    await store.close()


def _dead() -> Filter:
    return Filter(LINK, TO_FHIR, state=State.DEAD)


async def test_a_record_is_erased_with_its_corrected_copies(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    row = (await store.accept(received("1"), ANSWER, [draft()])).id
    await store.untranslatable(row, "DataTypeFault", [draft()])
    copy = await store.revise(row, b"mended", NOW, [draft(Tag.OPERATOR_MESSAGE_EDITED)])
    await store.translated(copy, [], [], [], [])
    keys = wrapped(tmp_path, row) + wrapped(tmp_path, copy)
    assert (await store.erase_record(copy, told)).records == 2
    assert left(tmp_path, keys) == []
    with pytest.raises(MovedOn):
        await store.erase_record(4711, told)
    await store.close()


async def test_a_partners_day_is_erased_by_its_key(tmp_path: Path) -> None:
    store, running = open_store(tmp_path), open_store(tmp_path)
    row = await whole(store, "1")
    other = await whole(store, "2", "2", NOW + DAY)
    assert await running.payload(row)  # its key is in the memory of another process
    (key,) = rows(tmp_path, "SELECT wrapped FROM wrapped_key WHERE day = '2026-11-23'")
    keys = wrapped(tmp_path, row)
    gone = await store.erase_day(LINK, NOW.date(), told)
    assert (gone.records, gone.keys) == (1, 1)
    assert left(tmp_path, [*keys, key[0]]) == []
    for one in (store, running):
        with pytest.raises(Erased):
            await one.payload(row)
        assert await one.payload(other) == b"MSH|2|" * 400
        assert await one.resource(LINK, "Patient/1") is None
    assert (await store.about([About(Kind.MRN, "1")], [draft()]))[0] == []
    again = await whole(running, "new")  # the day goes on, under another key
    assert await running.payload(again) == b"MSH|new|" * 400
    assert (await store.keys()).destroyed == 1
    with pytest.raises(MovedOn):
        await store.erase_day("nobody", NOW.date(), told)
    assert (await store.verify_keys(told, records=True))[1] == []
    await running.close()
    await store.close()
    assert verify(tmp_path / "store.db").good


async def test_a_copy_of_the_rows_is_worth_nothing_once_the_key_of_the_day_is_destroyed(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path)
    row = await whole(store, "1")
    before = rows(tmp_path, "SELECT data_key, meta, answer, payload FROM inbox WHERE id = ?", (row,))[0]
    await store.erase_day(LINK, NOW.date(), told)
    await store.close()
    restored: tuple[Any, ...] = (*before, row)
    rows(tmp_path, "UPDATE inbox SET data_key = ?, meta = ?, answer = ?, payload = ? WHERE id = ?", restored)
    store = open_store(tmp_path)
    with pytest.raises(Erased):
        await store.payload(row)
    assert (await store.recent(9))[0].meta == {}
    await store.close()
