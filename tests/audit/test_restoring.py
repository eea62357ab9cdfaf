"""A store out of a backup: what was signed since is put back, or nothing is done."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from audit import verify
from audit.keyfile import SigningKey
from audit.refusals import Forked, SealingRefused, TableShorter, TilesChanged
from audit.restoring import put_back

from . import site as log
from .sealed import SITE, Place, consistent


def _put_back(place: Place) -> int:
    with closing(sqlite3.connect(place.store, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            count = put_back(connection, place.directory, SITE)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        return count


def _backed_up(tmp_path: Path, before: int) -> Place:
    """A log that went on after its backup, over two years, and the backup in its place."""
    place = Place(tmp_path, before)
    shutil.copy(place.store, tmp_path / "backup.db")
    place.seal()
    place.write(300)
    place.seal()
    place.write(40, 2027)
    place.seal()
    shutil.copy(place.store, tmp_path / "whole.db")
    shutil.copy(tmp_path / "backup.db", place.store)
    return place


@pytest.mark.parametrize("before", [0, 1, 256, 500])
def test_what_was_signed_since_is_put_back_byte_for_byte_and_the_log_goes_on(
    tmp_path: Path, before: int
) -> None:
    place = _backed_up(tmp_path, before)
    signed = place.shard.checkpoint() or b""
    with pytest.raises(TableShorter):
        place.seal()
    assert _put_back(place) == 340
    assert log.entries(place.store) == log.entries(tmp_path / "whole.db")
    assert _put_back(place) == 0
    place.write(5, 2027)
    place.seal()
    assert consistent(place.shard, [signed, place.shard.checkpoint() or b""]) == 2
    assert verify(place.store).good


def test_a_backup_in_the_middle_of_a_later_shard_lacks_only_the_rest(tmp_path: Path) -> None:
    place = _backed_up(tmp_path, 10)
    with closing(sqlite3.connect(tmp_path / "whole.db")) as whole:
        whole.execute("DROP TRIGGER audit_entry_no_delete")
        whole.execute("DELETE FROM audit_entry WHERE seq > 320")
        whole.execute("UPDATE sqlite_sequence SET seq = 320")
        whole.commit()
        whole.backup(made := sqlite3.connect(place.store))
        made.close()
    assert _put_back(place) == 30


def _went_on(place: Place) -> None:
    place.write(1, 2030)


def _went_further(place: Place) -> None:
    place.write(500, 2030)


@pytest.mark.parametrize("other", [_went_on, _went_further])
def test_a_table_that_went_another_way_is_left_alone(tmp_path: Path, other: Callable[[Place], None]) -> None:
    place = _backed_up(tmp_path, 10)
    other(place)
    before = log.entries(place.store)
    with pytest.raises(Forked):
        _put_back(place)
    assert log.entries(place.store) == before


@pytest.mark.parametrize("path", ["2026/tile/entries/000", "2027/tile/0/000.p/40", "2026/checkpoint"])
def test_nothing_is_put_back_out_of_files_that_were_changed(tmp_path: Path, path: str) -> None:
    place = _backed_up(tmp_path, 10)
    raw = bytearray((place.directory / path).read_bytes())
    raw[len(raw) // 2] ^= 1
    (place.directory / path).write_bytes(raw)
    before = log.entries(place.store)
    with pytest.raises(TilesChanged):
        _put_back(place)
    assert log.entries(place.store) == before


def test_nothing_is_put_back_that_another_key_signed(tmp_path: Path) -> None:
    place = _backed_up(tmp_path, 10)
    other = SigningKey(tmp_path / "other.key")
    other.make()
    with closing(sqlite3.connect(place.store, isolation_level=None)) as connection:
        with pytest.raises(TilesChanged, match="no signature of a known key"):
            put_back(connection, place.directory, SITE, other)
        assert put_back(connection, place.directory, SITE, place.key) == 340


def test_a_gap_that_nothing_fills_is_refused(tmp_path: Path) -> None:
    place = _backed_up(tmp_path, 10)
    shutil.rmtree(place.directory / "2026")
    with pytest.raises(SealingRefused):
        _put_back(place)
