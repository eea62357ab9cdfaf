"""Everything is derived again, and the first bad place has a name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from audit.__main__ import main
from audit.directory import ANNOUNCED
from audit.fsck import Found, fsck
from audit.signing import sign
from audit.tiles import TilesRefused
from audit.writing import publish_cosigned

from . import site as log
from .sealed import Place
from .test_sealing import _flip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two years, the first with partial tiles that nobody took away, and some entries that wait."""
    place = Place(tmp_path_factory.mktemp("log"))
    for count, year in ((3, 2026), (300, 2026), (400, 2026), (80, 2027), (5, 2027)):
        place.write(count, year)
        place.seal()
    for shard in place.shards:
        (shard.root / ANNOUNCED).touch()
    place.write(4, 2027)
    return place


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    """A copy to be changed."""
    import shutil

    copy = Place.__new__(Place)
    shutil.copytree(made.directory, tmp_path / "store.audit")
    shutil.copy(made.store, tmp_path / "store.db")
    copy.store, copy.directory, copy.key = tmp_path / "store.db", tmp_path / "store.audit", made.key
    return copy


def look(place: Place) -> Found:
    return fsck(place.store, place.directory)


def test_a_log_that_nobody_touched_is_good(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    found = look(place)
    assert (found.fault, found.entries, found.shards, found.signed, found.unsealed) == ("", 792, 2, 2, 4)
    assert found.files >= 12
    assert main(["fsck", str(place.store), str(place.directory)]) == 0
    assert "everything is as it was signed" in capsys.readouterr().out


def test_every_file_that_is_changed_or_gone_is_named(place: Place) -> None:
    files = [path for path in place.directory.rglob("*") if path.is_file() and path.name not in _KEPT]
    assert len(files) >= 14
    for path in files:
        before = path.read_bytes()
        _flip(path)
        assert str(path) in look(place).fault, path
        path.write_bytes(before[:-1])
        assert str(path) in look(place).fault, path
        path.unlink()
        found = look(place)
        assert found.good == _may_be_gone(path), (path, found)
        path.write_bytes(before)
    assert look(place).good


_KEPT = ("lock", "keys", ANNOUNCED)


def _may_be_gone(path: Path) -> bool:
    """A partial tile beside the full one, or of an older checkpoint."""
    return path.parent.suffix == ".p" and path.name not in ("191", "85", "2")


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        (
            "UPDATE audit_entry SET entry = replace(entry, 'demo', 'evil') WHERE seq = 290",
            "entry 290: modified",
        ),
        ("DELETE FROM audit_entry WHERE seq = 290", "entry 290: removed"),
        ("DELETE FROM audit_entry WHERE seq > 780", "entry 781: removed"),
        ("DELETE FROM audit_entry WHERE seq < 10", "2026/tile/entries/000: not what"),
        ("DROP TRIGGER audit_entry_no_delete", "audit_entry_no_delete"),
    ],
)
def test_what_was_done_to_the_table_is_named(place: Place, sql: str, fault: str) -> None:
    if "TRIGGER" in sql:
        log.tamper(place.store)
        import sqlite3

        with sqlite3.connect(place.store) as connection:
            connection.execute(sql)
    else:
        log.tamper(place.store, sql)
    assert fault in look(place).fault


def test_a_year_that_was_not_sealed_to_its_end_is_named(place: Place) -> None:
    import shutil

    shutil.rmtree(place.directory / "2027")
    assert look(place).good
    assert look(place).unsealed == 89
    shutil.copytree(place.directory / "2026", place.directory / "2025")
    assert "2025/keys" in look(place).fault


def test_a_cosigned_checkpoint_is_looked_at_too(place: Place) -> None:
    signed = place.shard.checkpoint() or b""
    publish_cosigned(place.shard, signed)
    assert look(place).signed == 3
    publish_cosigned(place.shard, (place.shards[0].checkpoint() or b""))
    assert "2027/cosigned" in look(place).fault


@pytest.mark.parametrize("missing", ["store.db", "store.audit"])
def test_what_is_not_there_is_said(place: Place, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = place.store.parent / missing
    path.rename(place.store.parent / "away")
    code = main(["fsck", str(place.store), str(place.directory)])
    said = capsys.readouterr()
    assert code == (1 if missing == "store.db" else 0)
    assert ("no such file" in said.err) if code else ("792 of them under no checkpoint" in said.out)


def test_no_other_files_are_asked_for(place: Place) -> None:
    read: Callable[[str], bytes | None] = place.shard.read
    with pytest.raises(TilesRefused):
        read("keys")


def test_a_year_that_is_signed_and_of_which_the_table_has_nothing_is_named(place: Place) -> None:
    import shutil

    head = place.head()._replace(origin="site.example/log/2029")
    shutil.copytree(place.shard.root, place.directory / "2029")
    keys = place.directory / "2029" / "keys"
    names = [one.key for one in place.key.signers("site.example/log/2029")]
    keys.write_bytes("".join(f"{one}\n" for one in names).encode())
    signed = sign(head, place.key.signers("site.example/log/2029"), 1_795_000_000)
    (place.directory / "2029" / "checkpoint").write_bytes(signed)
    assert "2029/checkpoint: 85 entries are signed and 0 are there" in look(place).fault


def test_a_table_that_is_begun_anew_is_none_of_the_log(place: Place, tmp_path: Path) -> None:
    place.store = log.make(tmp_path / "new.db")
    assert "2027/checkpoint: 85 entries are signed and 0 are there" in look(place).fault
