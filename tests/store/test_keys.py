from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from connector.errors import KeyUnavailable, Tampered
from connector.store import FileKeyProvider

KEY = bytes(range(32))


def _file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "kek.key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_new_key_file_is_for_its_owner_alone_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "kek.key"
    made = FileKeyProvider.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert FileKeyProvider(path).key_id == made.key_id
    assert len(base64.b64decode(path.read_bytes())) == 32


def test_an_existing_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "kek.key"
    FileKeyProvider.create(path)
    before = path.read_bytes()
    with pytest.raises(KeyUnavailable):
        FileKeyProvider.create(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601, 0o644, 0o777])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = _file(tmp_path, base64.b64encode(KEY), mode)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        FileKeyProvider(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"not base64!", base64.b64encode(KEY[:31]), base64.b64encode(KEY + b"x"), KEY, b"A" * 5000],
)
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(KeyUnavailable) as refused:
        FileKeyProvider(_file(tmp_path, content))
    text = content.decode("latin-1").strip()
    assert not text or text not in str(refused.value)


def test_a_missing_file_and_a_folder_are_no_keys(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(KeyUnavailable):
            FileKeyProvider(path)


def test_a_device_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable):
        FileKeyProvider(Path("/dev/zero"))


def test_a_wrapped_key_opens_only_in_its_context(tmp_path: Path) -> None:
    keys = FileKeyProvider(_file(tmp_path, base64.b64encode(KEY)))
    wrapped = keys.wrap(b"k" * 32, b"here")
    assert keys.unwrap(wrapped, b"here") == b"k" * 32
    with pytest.raises(Tampered):
        keys.unwrap(wrapped, b"there")


def test_every_flipped_bit_of_a_wrapped_key_is_found(tmp_path: Path) -> None:
    keys = FileKeyProvider(_file(tmp_path, base64.b64encode(KEY)))
    wrapped = keys.wrap(b"k" * 32, b"here")
    for place in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[place] ^= 1
        with pytest.raises((Tampered, KeyUnavailable)):
            keys.unwrap(bytes(changed), b"here")
    for short in (b"", wrapped[:9], wrapped[:-1]):
        with pytest.raises((Tampered, KeyUnavailable)):
            keys.unwrap(short, b"here")


def test_another_key_says_that_it_is_another(tmp_path: Path) -> None:
    one = FileKeyProvider.create(tmp_path / "one")
    other = FileKeyProvider.create(tmp_path / "other")
    with pytest.raises(KeyUnavailable, match="another key"):
        other.unwrap(one.wrap(b"k" * 32, b""), b"")


def test_derived_keys_differ_by_purpose_and_say_nothing_of_each_other(tmp_path: Path) -> None:
    keys = FileKeyProvider(_file(tmp_path, base64.b64encode(KEY)))
    derived = {keys.derive(purpose) for purpose in ("a", "b", "ab", "")}
    assert len(derived) == 4
    assert KEY not in derived
    assert all(len(one) == 32 for one in derived)


def test_the_same_key_is_wrapped_differently_each_time(tmp_path: Path) -> None:
    keys = FileKeyProvider.create(tmp_path / "kek")
    assert len({keys.wrap(b"k" * 32, b"") for _ in range(50)}) == 50
    assert os.path.getsize(tmp_path / "kek") < 100
