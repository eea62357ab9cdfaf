"""The file of keys that sign: what is in it, how it changes, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from connector.edges.authorization_keys import MARGIN, Rotation, SigningKeys, read
from connector.errors import ConfigurationError, ConnectorError, KeyUnavailable

NOW = 1_800_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def rotate(path: Path, now: int = NOW) -> str:
    made = Rotation(path, now, 300)
    made.take_effect()
    return made.kid


def test_the_first_rotation_makes_the_file_for_its_owner_alone(path: Path) -> None:
    kid = rotate(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [(one.kid, one.made_at, one.ends_at) for one in read(path)] == [(kid, NOW, None)]


def test_an_older_key_verifies_until_no_token_of_it_can_be_good(path: Path) -> None:
    first, second = rotate(path), rotate(path, NOW + 1000)
    clock = {"now": float(NOW + 1000 + 300 + MARGIN - 1)}
    keys = SigningKeys(path, lambda: clock["now"])
    assert keys.signing().kid == second
    assert [one.kid for one in keys.verifying()] == [second, first]
    clock["now"] += 1
    assert [one.kid for one in keys.verifying()] == [second]


def test_rotations_in_a_row_keep_all_keys_whose_tokens_are_out(path: Path) -> None:
    made = [rotate(path, NOW + n) for n in range(4)]
    assert {one.kid for one in read(path)} == set(made)
    last = rotate(path, NOW + 3000)
    assert [one.kid for one in read(path)] == [last, made[-1]]


def test_a_rotation_says_what_it_replaces_and_what_goes(path: Path) -> None:
    first, second = rotate(path), rotate(path, NOW + 1)
    made = Rotation(path, NOW + 3000, 300)
    assert (made.before, made.ended) == (second, [first])
    made.give_up()
    assert [one.kid for one in read(path)] == [second, first]
    rotate(path, NOW + 3000)


def test_a_rotation_alone_forgets_all_other_keys(path: Path) -> None:
    before = [rotate(path, NOW + n) for n in range(2)]
    made = Rotation(path, NOW + 2, 300, alone=True)
    assert sorted(made.ended) == sorted(before)
    made.take_effect()
    assert [one.kid for one in read(path)] == [made.kid]


def test_two_rotations_at_once_are_one_too_many(path: Path) -> None:
    made = Rotation(path, NOW, 300)
    with pytest.raises(ConfigurationError, match="another rotation"):
        Rotation(path, NOW, 300)
    made.take_effect()
    assert read(path)[0].kid == made.kid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_file_stays_with_its_owner_whoever_rotates(path: Path) -> None:
    rotate(path)
    os.chown(path, 1234, 4321)
    rotate(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_rotation_that_could_not_leave_the_file_to_its_owner_does_not_happen(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kid = rotate(path)

    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(KeyUnavailable, match="another user"):
        Rotation(path, NOW, 300)
    assert [one.kid for one in read(path)] == [kid]
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="cannot be written"):
        Rotation(tmp_path / "none" / "keys.json", NOW, 300)


async def test_a_key_is_found_by_its_id_for_its_algorithm_alone(path: Path) -> None:
    kid = rotate(path)
    keys = SigningKeys(path, lambda: NOW)
    assert await keys.find(kid, "ES384") is not None
    for asked, algorithm in ((kid, "ES256"), (kid, "RS384"), ("x", "ES384"), (None, "ES384")):
        assert await keys.find(asked, algorithm) is None


def test_what_is_published_holds_nothing_private(path: Path) -> None:
    rotate(path)
    (one,) = SigningKeys(path, lambda: NOW).verifying()
    assert one.public.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_the_keys_are_read_again_when_the_file_changes(path: Path) -> None:
    first = rotate(path)
    keys = SigningKeys(path, lambda: NOW)
    assert keys.signing().kid == first
    second = rotate(path)
    assert keys.signing().kid == second


def _entry(path: Path, number: int, **changed: Any) -> None:
    content = json.loads(path.read_text())
    entry = {**content["keys"][number], **changed}
    content["keys"][number] = {name: value for name, value in entry.items() if value is not None}
    path.write_text(json.dumps(content))


def _p256(path: Path) -> None:
    key = ECKey.generate_key("P-256").as_dict(private=True)
    _entry(path, 0, **{name: key[name] for name in ("crv", "x", "y", "d")})


SPOILT: dict[str, Callable[[Path], Any]] = {
    "gone": Path.unlink,
    "open to others": lambda path: path.chmod(0o640),
    "no json": lambda path: path.write_text("{"),
    "no set": lambda path: path.write_text("[]"),
    "no keys": lambda path: path.write_text('{"keys": []}'),
    "no key": lambda path: path.write_text('{"keys": [1]}'),
    "public": lambda path: _entry(path, 0, d=None),
    "without kid": lambda path: _entry(path, 0, kid=None),
    "without iat": lambda path: _entry(path, 0, iat=None),
    "an end that is no number": lambda path: _entry(path, 1, exp="never"),
    "two that sign": lambda path: _entry(path, 1, exp=None),
    "none that signs": lambda path: _entry(path, 0, exp=NOW + 5000),
    "another algorithm": lambda path: _entry(path, 0, alg="ES256"),
    "another curve": _p256,
    "the same kid twice": lambda path: _entry(path, 1, kid=json.loads(path.read_text())["keys"][0]["kid"]),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_file_that_is_not_as_it_should_be_ends_signing_and_verifying(path: Path, fault: str) -> None:
    rotate(path)
    rotate(path)
    keys = SigningKeys(path, lambda: NOW)
    keys.signing()
    SPOILT[fault](path)
    for use in (keys.signing, keys.verifying, lambda: SigningKeys(path, lambda: NOW)):
        with pytest.raises(ConnectorError) as raised:
            use()
        assert isinstance(raised.value, ConfigurationError | KeyUnavailable)
        assert raised.value.location == str(path)
