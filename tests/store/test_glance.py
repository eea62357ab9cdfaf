"""A glance is taken where the caller is, unless somebody would have to wait for it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection

from connector.errors import MovedOn, StoreUnavailable
from connector.store import JournalEntry, Outgoing, Store, database, reader
from connector.store.reader import Reader

from .site import LINK, NOW, TO_FHIR, number, take


def thread_of(connection: Connection) -> str:
    return threading.current_thread().name


@pytest.fixture
def looking(store: Store, tmp_path: Path) -> Reader:
    return Reader(database.engine(tmp_path / "store.db", read_only=True))


async def test_a_glance_needs_no_thread(looking: Reader) -> None:
    assert await looking.glance(thread_of) == threading.current_thread().name
    assert await looking.read(thread_of) != threading.current_thread().name
    await looking.close()


async def test_after_a_slow_one_the_threads_look(looking: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SLOW", -1.0)
    assert await looking.glance(thread_of) == threading.current_thread().name
    assert await looking.glance(thread_of) != threading.current_thread().name
    await looking.close()


async def test_what_the_database_refuses_at_a_glance_is_asked_again(looking: Reader) -> None:
    here = threading.current_thread().name

    def busy_here(connection: Connection) -> str:
        if thread_of(connection) == here:
            raise StoreUnavailable("the database refuses (SQLITE_BUSY)")
        return thread_of(connection)

    assert await looking.glance(busy_here) != here
    assert await looking.glance(thread_of) != here
    await looking.close()


async def test_several_questions_are_one_look(store: Store) -> None:
    entry = JournalEntry(LINK, "Patient/a", b"{}", b"MSH|1", "ADT", NOW)
    await store.remember([entry])
    found = await store.look(
        LINK,
        lambda look: (
            look.resources(["Patient/a", "Patient/b"]),
            look.told_at(["Patient/a"], "ADT"),
            look.prior_message("Patient/a", "ADT"),
        ),
    )
    assert found == ({"Patient/a": b"{}"}, NOW, b"MSH|1")


async def test_a_message_is_translated_only_behind_the_one_before(store: Store, tmp_path: Path) -> None:
    first, second = [(await take(store, one, one.encode())).id for one in ("1", "2")]
    with pytest.raises(MovedOn):
        await store.translated(second, [Outgoing(b"{}")], [], [], [], behind=first)
    assert number(tmp_path, "outbox") == 0
    await store.translated(first, [Outgoing(b"{}")], [], [], [])
    await store.translated(second, [Outgoing(b"{}")], [], [], [], behind=first)
    assert [one.id for one in await store.queue(LINK, TO_FHIR, NOW, 8)] == [1, 2]
