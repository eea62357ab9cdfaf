"""Backups: consistent while others write, readable by nobody without the key, and whole or refused."""

from __future__ import annotations

import asyncio
import io
import os
import stat
from pathlib import Path
from typing import Final

import pytest

from connector.errors import ConfigurationError, KeyUnavailable, StoreUnavailable, Tampered
from connector.store import FileKeyProvider, backup, sealed

from .site import open_store, queue, take

KEY: Final = bytes(range(32))
CANARY: Final = b"Everywoman"


def sealed_of(plain: bytes, bound: bytes = b"head") -> bytes:
    out = io.BytesIO()
    sealed.seal(io.BytesIO(plain), out, KEY, bound)
    return out.getvalue()


def opened(content: bytes, bound: bytes = b"head", key: bytes = KEY) -> bytes:
    return b"".join(sealed.opened(io.BytesIO(content), key, bound))


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "PIECE", 16)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 32, 33])
def test_what_was_sealed_opens_whatever_its_length(small_pieces: None, size: int) -> None:
    plain = bytes(range(size))
    assert opened(sealed_of(plain)) == plain


@pytest.mark.parametrize("size", [0, 5, 16, 40])
def test_no_byte_can_be_changed(small_pieces: None, size: int) -> None:
    content = sealed_of(bytes(size))
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        with pytest.raises(Tampered):
            opened(bytes(changed))


def test_no_piece_can_be_left_out_moved_doubled_or_added(small_pieces: None) -> None:
    content = sealed_of(bytes(range(80)))
    pieces = [content[at : at + 32] for at in range(0, len(content), 32)]
    first, second, *rest = pieces
    for other in (
        [first, *rest],
        [second, first, *rest],
        pieces[:-1],
        [*pieces, pieces[-1]],
        [first, *pieces],
    ):
        with pytest.raises(Tampered):
            opened(b"".join(other))


def test_neither_another_head_nor_another_key_opens_it() -> None:
    content = sealed_of(b"plain")
    with pytest.raises(Tampered):
        opened(content, b"another")
    with pytest.raises(Tampered):
        opened(content, key=bytes(32))


async def made(folder: Path, out: Path) -> backup.Head:
    keys = FileKeyProvider(folder / "kek.key")
    with backup.snapshot(folder / "store.db", out) as copy:
        return backup.write(copy, out, keys, "2026-11-23T10:00:00Z", backup.Log(3, "ab"))


async def filled(folder: Path, messages: int = 3) -> Path:
    store = open_store(folder)
    for number in range(messages):
        await queue(store, CANARY * 10, control_id=str(number))
    await store.close()
    return folder / "out.backup"


async def test_a_backup_is_the_database_as_it_was(tmp_path: Path) -> None:
    out = await filled(tmp_path)
    head = await made(tmp_path, out)
    content = io.BytesIO()
    assert backup.read(out, FileKeyProvider(tmp_path / "kek.key"), content) == head == backup.head_of(out)
    assert len(content.getvalue()) == head.size
    assert content.getvalue().startswith(b"SQLite format 3\0")


async def test_nothing_else_is_left_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    out = await filled(tmp_path)
    await made(tmp_path, out)
    assert {one for one in os.listdir(tmp_path) if not one.startswith("store.db")} == {"kek.key", out.name}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert b"SQLite" not in out.read_bytes()


async def test_nothing_is_written_over(tmp_path: Path) -> None:
    out = await filled(tmp_path)
    out.write_bytes(b"precious")
    with pytest.raises(ConfigurationError):
        await made(tmp_path, out)
    assert out.read_bytes() == b"precious"


async def test_it_is_one_moment_while_others_write(tmp_path: Path) -> None:
    await filled(tmp_path, 1)
    store = open_store(tmp_path)
    ended = asyncio.Event()

    async def write() -> None:
        number = 100
        while not ended.is_set():
            await take(store, str(number))
            number += 1

    writing = asyncio.create_task(write())
    for number in range(3):
        await asyncio.to_thread(asyncio.run, made(tmp_path, tmp_path / f"{number}.backup"))
    ended.set()
    await writing
    await store.close()
    for number in range(3):
        copy = tmp_path / f"copy-{number}"
        copy.mkdir()
        with (copy / "store.db").open("wb") as file:
            backup.read(tmp_path / f"{number}.backup", FileKeyProvider(tmp_path / "kek.key"), file)
        os.link(tmp_path / "kek.key", copy / "kek.key")
        other = open_store(copy)
        assert all(one.reconciled for one in (await other.counts()).values())
        await other.close()


async def test_another_key_is_told_by_its_id(tmp_path: Path) -> None:
    out = await filled(tmp_path)
    head = await made(tmp_path, out)
    with pytest.raises(KeyUnavailable) as caught:
        backup.read(out, FileKeyProvider.create(tmp_path / "other.key"), None)
    assert head.key in caught.value.fix


async def test_a_backup_that_was_changed_anywhere_is_refused(tmp_path: Path) -> None:
    out = await filled(tmp_path)
    await made(tmp_path, out)
    content, keys = out.read_bytes(), FileKeyProvider(tmp_path / "kek.key")
    for place in [*range(0, 400, 7), len(content) // 2, len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 1
        out.write_bytes(changed)
        with pytest.raises((Tampered, KeyUnavailable)):
            backup.read(out, keys, None)
    for cut in (0, 10, 300, len(content) - 1):
        out.write_bytes(content[:cut])
        with pytest.raises(Tampered):
            backup.read(out, keys, None)
    out.write_bytes(content + b"x")
    with pytest.raises(Tampered):
        backup.read(out, keys, None)


async def test_a_disk_that_is_full_leaves_no_backup(tmp_path: Path) -> None:
    out = await filled(tmp_path)
    with pytest.raises(StoreUnavailable):
        await made(tmp_path, Path("/dev/full/out.backup"))
    assert not out.exists()
