"""A year past its retention goes whole, and the rest still verifies; nothing else can go."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from audit import Tag, verify
from audit.disposing import Account, account, cut, due, left_over, remove_files, remove_rows
from audit.fsck import fsck
from audit.refusals import Forked, TableShorter, TilesChanged
from audit.restoring import put_back

from . import site as log
from .sealed import SITE, Place, in_year
from .test_sealing import _flip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    for year, count in ((2026, 300), (2027, 20), (2033, 5)):
        place.write(count, year)
        place.seal()
    return place


def dispose(place: Place, *, files: bool = True, fails: bool = False) -> Account:
    """As the command does it: rows and entry in one transaction, then the files."""
    shard = place.shards[0]
    with log.connected(place.store) as connection:
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        said = account(raw, shard)
        raw.execute("BEGIN IMMEDIATE")
        remove_rows(raw, said)
        what = {**said.said(), "because": "its time"}
        actor = {"role": "operator", "name": "mia", "realm": "machine"}
        draft = log.draft()._replace(tag=Tag.AUDIT_SHARD_DISPOSED, actor=actor, object=what)
        log.AuditLog().append(connection, [in_year(draft, 2033)])
        raw.execute("ROLLBACK" if fails else "COMMIT")
    if files:
        remove_files(place.directory, shard)
    return said


def test_only_what_ended_long_enough_ago_is_due_and_never_the_newest(place: Place) -> None:
    assert due(place.directory, 2032, 6) == []
    assert [shard.year for shard in due(place.directory, 2033, 6)] == [2026]
    assert [shard.year for shard in due(place.directory, 2034, 6)] == [2026, 2027]
    assert [shard.year for shard in due(place.directory, 2999, 6)] == [2026, 2027]


def test_what_is_left_verifies_and_the_entry_tells_what_is_gone(place: Place) -> None:
    said = dispose(place)
    assert (said.origin, said.first, said.last, said.size) == (f"{SITE}/2026", 1, 300, 300)
    place.seal()
    assert verify(place.store).good
    assert verify(place.store).entries == 26
    found = fsck(place.store, place.directory)
    assert (found.fault, found.shards) == ("", 2)
    dispose(place)
    place.seal()
    assert verify(place.store).good
    assert fsck(place.store, place.directory).good


def test_nothing_can_be_removed_afterwards_either(place: Place) -> None:
    dispose(place)
    with closing(sqlite3.connect(place.store)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("DELETE FROM audit_entry")


def test_what_is_not_told_of_is_found(place: Place) -> None:
    said = dispose(place, fails=True, files=False)
    assert verify(place.store).entries == 325
    with closing(sqlite3.connect(place.store, isolation_level=None)) as connection:
        cut(connection, said.last)
    shutil.rmtree(place.directory / "2026")
    for fault in (verify(place.store).faults[0], fsck(place.store, place.directory).fault):
        assert fault == "entry 1: removed (the log begins with entry 301, and none says why)"


def test_more_than_was_told_of_is_found(place: Place) -> None:
    dispose(place)
    with closing(sqlite3.connect(place.store, isolation_level=None)) as connection:
        cut(connection, 310)
    assert "entry 311" in verify(place.store).faults[0]


def test_a_shard_that_is_not_as_it_was_signed_stays(place: Place) -> None:
    _flip(place.shards[0].root / "tile/entries/000")
    with pytest.raises(TilesChanged):
        dispose(place)
    _flip(place.shards[0].root / "tile/entries/000")
    log.tamper(place.store, "UPDATE audit_entry SET hash = x'00' WHERE seq = 300")
    with pytest.raises(Forked):
        dispose(place)
    assert len(log.entries(place.store)) == 325


def test_files_that_are_left_over_are_found(place: Place) -> None:
    dispose(place, files=False)
    assert fsck(place.store, place.directory).good
    with closing(sqlite3.connect(place.store)) as connection:
        assert [shard.year for shard in left_over(connection, place.directory)] == [2026]


def test_what_was_disposed_of_since_the_backup_is_gone_again_after_a_restore(place: Place) -> None:
    backup = place.store.with_name("backup.db")
    shutil.copy(place.store, backup)
    dispose(place)
    place.write(3, 2033)
    place.seal()
    rows = log.entries(place.store)
    shutil.copy(backup, place.store)
    with closing(sqlite3.connect(place.store, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert put_back(connection, place.directory, SITE) == 4
        connection.execute("COMMIT")
    assert log.entries(place.store) == rows
    assert verify(place.store).good
    assert fsck(place.store, place.directory).good


def test_a_backup_older_than_what_is_left_is_refused(place: Place, tmp_path: Path) -> None:
    dispose(place)
    place.seal()
    log.make(place.store.with_name("old.db"), 10)
    with (
        closing(sqlite3.connect(place.store.with_name("old.db"), isolation_level=None)) as connection,
        pytest.raises(TableShorter, match="entry 11"),
    ):
        put_back(connection, place.directory, SITE)
