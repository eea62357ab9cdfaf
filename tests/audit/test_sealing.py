"""What the sealer signs: all that was appended, once, and never anything that does not follow."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from audit import sealing, tiles
from audit.keyfile import SigningKey
from audit.merkle import leaf_hash, root_of
from audit.notes import Kind
from audit.refusals import (
    ChainBroken,
    DirectoryLost,
    Forked,
    KeyRefused,
    OtherSite,
    SealingRefused,
    TableShorter,
    TilesChanged,
)
from audit.restoring import OPENED
from audit.tiles import Tile
from audit.writing import Busy

from . import site as log
from .sealed import SITE, Place, believed, consistent


def _root(place: Place) -> bytes:
    return root_of(row[2] for row in log.entries(place.store))


def test_everything_that_was_appended_is_under_the_checkpoint(tmp_path: Path) -> None:
    place = Place(tmp_path, 3)
    signed = []
    with place.sealer() as sealer:
        assert sealer.waiting() == 3
        for more in (1, 300, 0, 255, 1, 700):
            place.write(more)
            sealed = sealer.seal()
            assert sealed == more + (3 if not signed else 0)
            head = place.head()
            assert (head.origin, head.size, head.root) == (f"{SITE}/2026", sealer.last, _root(place))
            signed.append(sealer.signed)
    assert consistent(place.shard, signed) == 5
    assert place.shard.read("tile/0/000.p/3") is None  # full since
    entries = [
        entry
        for tile in tiles.tiles_of(place.head().size, None)
        for entry in tiles.read_entries(tile, place.shard.read)
    ]
    assert entries == [row[1].encode() for row in log.entries(place.store)]


def test_nothing_is_written_where_nothing_is_new(tmp_path: Path) -> None:
    place = Place(tmp_path, 5)
    place.seal()
    before = {path: path.stat().st_mtime_ns for path in place.shard.root.rglob("*")}
    assert place.seal() == 0
    assert {path: path.stat().st_mtime_ns for path in place.shard.root.rglob("*")} == before


def test_an_empty_log_has_no_checkpoint(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.seal() == 0
    assert place.shards == []


def test_a_large_backlog_goes_under_checkpoints_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MOST", 256)
    place = Place(tmp_path, 700)
    assert place.seal() == 700
    assert place.head().root == _root(place)


def test_a_year_is_a_shard_and_time_that_steps_back_opens_none(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for year, count in ((2026, 4), (2025, 2), (2027, 300), (2026, 1), (2029, 1)):
        place.write(count, year)
    place.seal()
    sizes = [(shard.year, believed(shard.checkpoint() or b"", shard.keys()).size) for shard in place.shards]
    assert sizes == [(2026, 6), (2027, 301), (2029, 1)]
    first = tiles.read_entries(Tile(None, 0, 256), place.shards[1].read)[0]
    assert leaf_hash(first) == log.entries(place.store)[6][2]
    place.write(2, 2028)
    place.seal()
    assert place.head().size == 3


def test_shards_that_were_opened_are_to_be_told_of_once(tmp_path: Path) -> None:
    place = Place(tmp_path, 2)
    with place.sealer() as sealer:
        sealer.seal()
        (began,) = sealer.unannounced()
        assert (began.shard.origin, began.first) == (f"{SITE}/2026", 1)
        sealer.announced(began.shard)
        assert sealer.unannounced() == []
    with place.sealer() as sealer:
        assert sealer.unannounced() == []


def test_one_seals_at_a_time(tmp_path: Path) -> None:
    place = Place(tmp_path, 1)
    with place.sealer(), pytest.raises(Busy), place.sealer():
        pass
    assert place.seal() == 1


def test_both_algorithms_sign_where_that_is_asked(tmp_path: Path) -> None:
    place = Place(tmp_path, 1)
    place.seal()
    place.key = SigningKey(place.key.path, ml_dsa=True)
    place.write(1)
    place.seal()
    keys = place.shard.keys()
    assert [key.kind for key in keys] == [Kind.ED25519, Kind.ML_DSA_44]
    assert (place.shard.checkpoint() or b"").count("\N{EM DASH}".encode()) == 2
    assert place.head().size == 2


def _shorter(place: Place) -> None:
    log.tamper(place.store, "DELETE FROM audit_entry WHERE seq > 250")


def _gone(place: Place) -> None:
    log.tamper(place.store, "DELETE FROM audit_entry")


def _another(place: Place) -> None:
    _shorter(place)
    log.tamper(place.store, "UPDATE sqlite_sequence SET seq = 250")
    place.write(60)


def _modified(place: Place) -> None:
    log.tamper(place.store, "UPDATE audit_entry SET entry = replace(entry, 'demo', 'evil') WHERE seq = 300")


def _unchained(place: Place) -> None:
    place.write(2)
    log.tamper(place.store, "UPDATE audit_entry SET hash = x'00' WHERE seq = 301")


def _tile(place: Place) -> None:
    _flip(place.shard.root / "tile/0/001.p/44")


def _upper(place: Place) -> None:
    _flip(place.shard.root / "tile/1/000.p/1")


def _bundle(place: Place) -> None:
    _flip(place.shard.root / "tile/entries/001.p/44")


def _no_tile(place: Place) -> None:
    (place.shard.root / "tile/0/001.p/44").unlink()


def _checkpoint(place: Place) -> None:
    _flip(place.shard.root / "checkpoint")


def _keys(place: Place) -> None:
    (place.shard.root / "keys").write_bytes(b"")


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (_shorter, TableShorter), (_gone, TableShorter), (_another, Forked), (_modified, ChainBroken),
        (_unchained, ChainBroken), (_tile, TilesChanged), (_upper, TilesChanged), (_bundle, TilesChanged),
        (_no_tile, TilesChanged), (_checkpoint, TilesChanged), (_keys, TilesChanged),
    ],
)  # fmt: skip
def test_what_does_not_follow_is_not_signed(
    tmp_path: Path, change: Callable[[Place], None], refused: type[SealingRefused]
) -> None:
    place = Place(tmp_path, 300)
    place.seal()
    change(place)
    before = (place.shard.root / "checkpoint").read_bytes()
    if change not in (_shorter, _gone):
        place.write(1)
    with pytest.raises(refused):
        place.seal()
    assert (place.shard.root / "checkpoint").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "refused"),
    [(_shorter, TableShorter), (_another, Forked), (_tile, TilesChanged), (_checkpoint, TilesChanged)],
)
def test_it_is_seen_as_well_while_the_sealer_runs(
    tmp_path: Path, change: Callable[[Place], None], refused: type[SealingRefused]
) -> None:
    place = Place(tmp_path, 300)
    with place.sealer() as sealer:
        sealer.seal()
        change(place)
        before = (place.shard.root / "checkpoint").read_bytes()
        if change is not _shorter:
            place.write(1)
        for _ in range(2):
            with pytest.raises(refused):
                sealer.seal()
        assert (place.shard.root / "checkpoint").read_bytes() == before


def test_an_older_checkpoint_that_was_put_back_is_seen_by_who_signed_the_newer(tmp_path: Path) -> None:
    place = Place(tmp_path, 3)
    with place.sealer() as sealer:
        sealer.seal()
        older = sealer.signed
        place.write(1)
        sealer.seal()
        (place.shard.root / "checkpoint").write_bytes(older)
        place.write(1)
        with pytest.raises(TilesChanged):
            sealer.seal()


def test_a_sealer_that_could_not_write_goes_on_when_it_can(tmp_path: Path) -> None:
    place = Place(tmp_path, 3)
    with place.sealer() as sealer:
        sealer.seal()
        (place.shard.root / ".checkpoint.new").mkdir()
        place.write(2)
        with pytest.raises(OSError, match=r"checkpoint\.new"):
            sealer.seal()
        assert sealer.waiting() >= 2
        (place.shard.root / ".checkpoint.new").rmdir()
        assert sealer.seal() == 2


def test_the_key_is_one_file_of_its_owner_and_stays_the_same(tmp_path: Path) -> None:
    place = Place(tmp_path, 1)
    place.seal()
    assert place.key.path.stat().st_mode & 0o777 == 0o600
    place.key.path.chmod(0o640)
    with pytest.raises(KeyRefused, match="others"):
        place.seal()
    place.key.path.rename(tmp_path / "away")
    with pytest.raises(KeyRefused):
        place.seal()
    assert not place.key.path.exists()
    place.key.make()
    with pytest.raises(KeyRefused, match="signed so far"):
        place.seal()
    place.key.path.write_text("ed25519 AAAA\n")
    place.key.path.chmod(0o600)
    with pytest.raises(KeyRefused):
        place.seal()


def test_a_directory_belongs_to_one_site(tmp_path: Path) -> None:
    place = Place(tmp_path, 1)
    place.seal()
    with pytest.raises(OtherSite, match=SITE), place.sealer("other.example"):
        pass


def test_a_directory_that_is_gone_is_not_begun_again(tmp_path: Path) -> None:
    place = Place(tmp_path, 1)
    place.seal()
    what = {"origin": f"{SITE}/2026", "first": 1}
    log.write(place.store, [log.draft()._replace(tag=OPENED, actor={"role": "connector"}, object=what)])
    place.directory.rename(tmp_path / "away")
    with pytest.raises(DirectoryLost, match="entry 2"):
        place.seal()
    with place.sealer("other.example") as sealer:  # a log of its own, over all that the table has
        assert sealer.seal() == 2


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    place = Place(tmp_path, 1)
    place.store.unlink()
    with pytest.raises(sqlite3.Error):
        place.seal()
    assert not place.store.exists()
