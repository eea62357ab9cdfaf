"""The files of the sealed log, read: the right ones, and no others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audit.directory import DirectoryRefused, Shard, origin_of, shards
from audit.notes import Kind
from audit.primitives import signer
from audit.tiles import TilesRefused

KEY = signer(origin_of("site.example/log", 2026), Kind.ED25519, bytes(32)).key


def _shard(directory: Path, year: int = 2026) -> Shard:
    root = directory / str(year)
    (root / "tile" / "0").mkdir(parents=True)
    (root / "keys").write_text(f"{KEY}\n")
    return Shard(root, year)


def test_a_shard_knows_its_name_its_keys_and_its_files(tmp_path: Path) -> None:
    shard = _shard(tmp_path)
    (shard.root / "tile/0/000").write_bytes(b"tile")
    (shard.root / "checkpoint").write_bytes(b"note")
    assert (shard.origin, shard.site, shard.keys()) == ("site.example/log/2026", "site.example/log", (KEY,))
    assert (shard.read("tile/0/000"), shard.read("tile/0/001")) == (b"tile", None)
    assert (shard.checkpoint(), shard.cosigned()) == (b"note", None)


def test_shards_come_in_the_order_of_their_years_and_nothing_else_is_one(tmp_path: Path) -> None:
    for year in (2027, 2025, 2026):
        _shard(tmp_path, year)
    (tmp_path / "20260").mkdir()
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "2028").write_text("a file")
    assert [shard.year for shard in shards(tmp_path)] == [2025, 2026, 2027]
    assert shards(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    "path", ["../2025/checkpoint", "/etc/passwd", "tile/0/../../keys", "keys", "tile/0/000\n", "tile/0/0", ""]
)
def test_no_path_leads_out_of_the_tiles(tmp_path: Path, path: str) -> None:
    with pytest.raises(TilesRefused):
        _shard(tmp_path).read(path)


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    shard = _shard(tmp_path)
    (tmp_path / "secret").write_text("secret")
    (shard.root / "tile/0/000").symlink_to(tmp_path / "secret")
    os.mkfifo(shard.root / "tile/0/001")
    (shard.root / "checkpoint").mkdir()
    with pytest.raises(OSError, match="symbolic"):
        shard.read("tile/0/000")
    for read in (lambda: shard.read("tile/0/001"), shard.checkpoint):
        with pytest.raises(DirectoryRefused):
            read()


@pytest.mark.parametrize(
    "keys", [b"", b"\xff\n", b"no key\n", f"{signer('other/2025', Kind.ED25519, bytes(32)).key}\n".encode()]
)
def test_keys_of_nobody_or_another_log_are_refused(tmp_path: Path, keys: bytes) -> None:
    shard = _shard(tmp_path)
    (shard.root / "keys").write_bytes(keys)
    with pytest.raises(DirectoryRefused):
        _ = shard.origin


def test_a_shard_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DirectoryRefused, match="keys"):
        Shard(tmp_path, 2026).keys()
