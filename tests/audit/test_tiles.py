from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit import merkle, tiles
from audit.entry import EntryRefused
from audit.merkle import leaf_hash
from audit.tiles import Tile, TileNodes, TilesRefused
from tests.audit import naive
from tests.audit.site import FREE, draft, entries, make, write

LEAVES = [hashlib.sha256(b"%d" % n).digest() for n in range(70_000)]


def _grow(kept: dict[str, bytes], size: int, after: int) -> dict[str, bytes]:
    new = {tile.path: content for tile, content in tiles.grown(size, LEAVES[size:after], kept.get)}
    kept.update(new)
    return new


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(63, 999, 1), "tile/63/999.p/1"),
        (Tile(2, 1000, 255), "tile/2/x001/000.p/255"),
        (Tile(None, 273, 112), "tile/entries/273.p/112"),
    ],
)
def test_a_tile_has_one_path_and_a_path_one_tile(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tiles.parse_path(path) == tile


@given(st.none() | st.integers(0, 63), st.integers(0, 2**63), st.integers(1, 256))
def test_every_path_is_read_back(level: int | None, number: int, width: int) -> None:
    tile = Tile(level, number, width)
    assert tiles.parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/64/000",
        "tile/-1/000", "tile/0/x000/001", "tile/0/001/067", "tile/0/x001/x067", "tile/0/000.p/0",
        "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p", "tile/0/000/", "/tile/0/000",
        "tile/0/000\n", "tile/0/٠٠٠", "tile/entry/000", "tile/data/000", "tile/0/../000",
        "tile/0/" + "x999/" * 5000 + "999", "tile/0/" + "x999/" * 12 + "999",
    ],
)  # fmt: skip
def test_what_is_no_path_of_a_tile_is_refused(path: str) -> None:
    with pytest.raises(TilesRefused):
        tiles.parse_path(path)


@given(st.text(alphabet="tile/entris.px0123456789-", max_size=40).map("tile/".__add__))
def test_a_path_is_read_only_as_it_would_be_written(path: str) -> None:
    try:
        tile = tiles.parse_path(path)
    except TilesRefused:
        return
    assert tile.path == path


def test_the_example_of_the_specification_has_the_tiles_that_it_lists() -> None:
    found = list(tiles.layout(70_000))
    assert len([tile for tile in found if tile.level == 0 and tile.width == 256]) == 273
    rest = [tile for tile in found if tile.level or tile.width < 256]
    assert rest == [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles.layout(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles.layout(0)) == []
    assert list(tiles.tiles_of(300, None)) == [Tile(None, 0), Tile(None, 1, 44)]


def test_seventy_thousand_leaves_become_exactly_those_tiles() -> None:
    kept: dict[str, bytes] = {}
    assert list(_grow(kept, 0, 70_000)) == [tile.path for tile in tiles.layout(70_000)]
    nodes = TileNodes(70_000, kept.get)
    root = merkle.root_of(LEAVES)
    assert merkle.root(70_000, nodes) == root
    path = merkle.inclusion(69_999, 70_000, nodes)
    merkle.verify_inclusion(LEAVES[69_999], 69_999, 70_000, path, root)
    assert kept["tile/1/000"][:32] == tiles.tile_hash(kept["tile/0/000"]) == naive.mth(LEAVES[:256])
    assert kept["tile/2/000.p/1"] == naive.mth(LEAVES[: 256 * 256])


@given(st.lists(st.integers(0, 700), max_size=6))
@example([256, 256])
@example([255, 1, 1])
@example([65_500, 100])
def test_tiles_grow_to_the_same_however_the_leaves_come(steps: list[int]) -> None:
    kept: dict[str, bytes] = {}
    size = 0
    for step in steps:
        new = _grow(kept, size, size + step)
        assert all(tiles.parse_path(path) in tiles.layout(size + step) for path in new)
        size += step
    at_once: dict[str, bytes] = {}
    _grow(at_once, 0, size)
    assert {path: kept[path] for path in at_once} == at_once
    assert merkle.root(size, TileNodes(size, kept.get)) == merkle.root_of(LEAVES[:size])


@given(st.integers(1, 1500), st.data())
def test_every_node_and_proof_comes_out_of_the_tiles(size: int, data: st.DataObject) -> None:
    kept: dict[str, bytes] = {}
    _grow(kept, 0, size)
    nodes, plain = TileNodes(size, kept.get, keep=2), naive.nodes(LEAVES)
    level = data.draw(st.integers(0, size.bit_length() - 1))
    index = data.draw(st.integers(0, (size >> level) - 1))
    assert nodes(level, index) == plain(level, index)
    first = data.draw(st.integers(0, size))
    assert merkle.consistency(first, size, nodes) == merkle.consistency(first, size, plain)


def test_where_a_partial_tile_is_gone_the_full_one_is_read() -> None:
    kept: dict[str, bytes] = {}
    _grow(kept, 0, 300)
    before = merkle.root(300, TileNodes(300, kept.get))
    _grow(kept, 300, 600)
    del kept["tile/0/001.p/44"]
    assert merkle.root(300, TileNodes(300, kept.get)) == before
    assert _grow(kept, 300, 301)["tile/0/001.p/45"] == b"".join(LEAVES[256:301])


def test_a_tile_that_is_missing_or_of_another_width_is_refused() -> None:
    kept: dict[str, bytes] = {}
    _grow(kept, 0, 300)
    whole = kept["tile/0/000"]
    for spoilt in (whole[:-1], whole + b"\x00", whole[:-32], b""):
        with pytest.raises(TilesRefused, match="another width"):
            merkle.inclusion(0, 300, TileNodes(300, {**kept, "tile/0/000": spoilt}.get))
    with pytest.raises(TilesRefused, match="tile/0/000 is missing"):
        TileNodes(300, {}.get)(3, 2)
    for level, index in ((0, 300), (9, 0), (8, 1), (0, -1)):
        with pytest.raises(TilesRefused, match="no complete node"):
            TileNodes(300, kept.get)(level, index)
    with pytest.raises(TilesRefused, match=r"tile/0/001\.p/44 is missing"):
        list(tiles.grown(300, LEAVES[300:301], {}.get))
    with pytest.raises(TilesRefused, match="larger"):
        next(tiles.grown(2**63 - 1, LEAVES[:1], kept.get))


@given(st.lists(st.binary(max_size=600), min_size=1, max_size=256))
def test_a_bundle_gives_back_its_entries(given_entries: list[bytes]) -> None:
    packed = tiles.bundle(given_entries)
    assert tiles.unbundle(packed, len(given_entries)) == given_entries
    assert tiles.bundle_hashes(packed, len(given_entries)) == [leaf_hash(one) for one in given_entries]
    for spoilt in (packed + b"\x00", packed[:-1], packed + b"\x00\x00"):
        with pytest.raises(TilesRefused):
            tiles.unbundle(spoilt, len(given_entries))


@given(st.binary(max_size=200), st.integers(0, 20))
def test_bytes_are_a_bundle_only_if_it_would_be_written_so(packed: bytes, width: int) -> None:
    try:
        found = tiles.unbundle(packed, width)
    except TilesRefused:
        return
    assert len(found) == width
    assert tiles.bundle(found) == packed


@given(st.lists(st.integers(0, 600), max_size=5))
@example([256, 256])
@example([255, 1, 1])
def test_bundles_grow_beside_the_tiles_however_the_entries_come(steps: list[int]) -> None:
    kept: dict[str, bytes] = {}
    size = 0
    for step in steps:
        more = [b"%d" % n for n in range(size, size + step)]
        for tile, packed in tiles.bundled(size, more, kept.get):
            assert tile in tiles.tiles_of(size + step, None)
            kept[tile.path] = packed
        size += step
    found = [one for tile in tiles.tiles_of(size, None) for one in tiles.read_entries(tile, kept.get)]
    assert found == [b"%d" % n for n in range(size)]


def test_where_a_partial_bundle_is_gone_the_full_one_is_read() -> None:
    full = tiles.bundle([b"%d" % n for n in range(256)])
    partial = Tile(None, 0, 3)
    assert tiles.read_entries(partial, {"tile/entries/000": full}.get) == [b"0", b"1", b"2"]
    ((grown, packed),) = tiles.bundled(3, [b"new"], {"tile/entries/000": full}.get)
    assert (grown, tiles.unbundle(packed, 4)[-1]) == (Tile(None, 0, 4), b"new")
    for kept in (
        {},
        {partial.path: full},
        {"tile/entries/000": full[:-1]},
        {partial.path: tiles.bundle([b"0"])},
    ):
        with pytest.raises(TilesRefused):
            list(tiles.bundled(3, [b"new"], kept.get))


def test_the_longest_entry_fits_and_a_longer_one_is_refused() -> None:
    longest = bytes(65_535)
    assert tiles.unbundle(tiles.bundle([longest]), 1) == [longest]
    with pytest.raises(EntryRefused, match="65535 is the most"):
        tiles.bundle([longest + b"\x00"])


def test_an_entry_that_no_bundle_can_hold_does_not_get_into_the_log(tmp_path: Path) -> None:
    path = make(tmp_path / "log.db", 1)
    room = 65_535 - len(entries(path)[0][1].encode()) - len(',"more":""')
    write(path, [draft(0, more="x" * room)], FREE)
    assert len(entries(path)[1][1].encode()) == 65_535
    with pytest.raises(EntryRefused, match="65536 bytes; 65535 is the most"):
        write(path, [draft(0), draft(0, more="x" * (room + 1))], FREE)
    assert len(entries(path)) == 2
