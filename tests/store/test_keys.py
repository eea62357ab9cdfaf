from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from connector.errors import ConfigurationError, KeyUnavailable, Tampered
from connector.store import FileKeyProvider
from connector.store.keys import CredentialKeyProvider

KEY = bytes(range(32))
DAY_KEY = bytearray(b"k" * 32)


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
    wrapped = keys.wrap(DAY_KEY, b"here")
    assert (wrapped.provider, wrapped.key_id) == ("file", keys.key_id)
    assert keys.unwrap(wrapped, b"here") == DAY_KEY
    with pytest.raises(Tampered):
        keys.unwrap(wrapped, b"there")


def test_every_flipped_bit_of_a_wrapped_key_is_found(tmp_path: Path) -> None:
    keys = FileKeyProvider(_file(tmp_path, base64.b64encode(KEY)))
    wrapped = keys.wrap(DAY_KEY, b"here")
    for place in range(len(wrapped.blob)):
        changed = bytearray(wrapped.blob)
        changed[place] ^= 1
        with pytest.raises((Tampered, KeyUnavailable)):
            keys.unwrap(wrapped._replace(blob=bytes(changed)), b"here")
    for short in (b"", wrapped.blob[:9], wrapped.blob[:-1]):
        with pytest.raises((Tampered, KeyUnavailable)):
            keys.unwrap(wrapped._replace(blob=short), b"here")


def test_another_key_says_that_it_is_another(tmp_path: Path) -> None:
    one = FileKeyProvider.create(tmp_path / "one")
    other = FileKeyProvider.create(tmp_path / "other")
    with pytest.raises(KeyUnavailable, match="another key"):
        other.unwrap(one.wrap(DAY_KEY, b""), b"")


def test_the_same_key_is_wrapped_differently_each_time(tmp_path: Path) -> None:
    keys = FileKeyProvider.create(tmp_path / "kek")
    assert len({keys.wrap(DAY_KEY, b"").blob for _ in range(50)}) == 50
    assert os.path.getsize(tmp_path / "kek") < 100


def test_a_rotated_file_wraps_with_the_new_key_and_still_unwraps_with_the_old(tmp_path: Path) -> None:
    path = tmp_path / "kek.key"
    running, keys = FileKeyProvider.create(path), FileKeyProvider(path)
    before = running.wrap(DAY_KEY, b"")
    new = keys.rotate()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["kek.key"]
    assert new != before.key_id
    assert running.wrap(DAY_KEY, b"").key_id == new  # who runs reads the file again
    assert running.unwrap(before, b"") == DAY_KEY
    with pytest.raises(KeyUnavailable):
        keys.forget(new)
    keys.forget(before.key_id)
    with pytest.raises(KeyUnavailable, match=before.key_id):
        running.unwrap(before, b"")


def test_a_key_file_that_others_may_read_later_is_refused_then(tmp_path: Path) -> None:
    keys = FileKeyProvider.create(tmp_path / "kek.key")
    (tmp_path / "kek.key").chmod(0o640)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        keys.wrap(DAY_KEY, b"")


def test_one_line_that_is_no_key_spoils_the_file(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable):
        FileKeyProvider(_file(tmp_path, base64.b64encode(KEY) + b"\nnone\n"))


def test_a_credential_of_systemd_is_read_and_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(KeyUnavailable, match="CREDENTIALS_DIRECTORY"):
        CredentialKeyProvider("kek.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(KeyUnavailable):
        CredentialKeyProvider("kek.key")
    _file(tmp_path, base64.b64encode(KEY), 0o400)
    keys = CredentialKeyProvider("kek.key")
    assert keys.unwrap(keys.wrap(DAY_KEY, b"c"), b"c") == DAY_KEY
    for refused in (keys.rotate, lambda: keys.forget(keys.key_id)):
        with pytest.raises(ConfigurationError, match="systemd"):
            refused()
