from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ProfileError
from connector.profile import load, parse
from connector.profile.check import check
from connector.profile.reading import LARGEST
from tests.profile.planted import DEMO, FAULTS, Planted, line_of, text_of


@pytest.mark.parametrize("planted", FAULTS, ids=lambda one: one.new.replace("\n", " ")[:50])
def test_a_fault_is_told_at_its_line(planted: Planted, tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(text_of(planted))
    faults = check(path)
    assert f"{path}:{line_of(planted)}" in [fault.location for fault in faults]
    assert planted.said in "".join(map(str, faults))
    with pytest.raises(ProfileError) as raised:
        load(path)
    assert raised.value.location == faults[0].location


def test_all_faults_of_a_file_are_told_together_in_the_order_of_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text('nane = "x"\n[v2]\nchrset = ""\nconformance = "x"\n[retry]\nfactor = 0\n')
    assert [fault.location.rpartition(":")[2] for fault in check(path)] == ["1", "1", "3", "4", "6"]
    with pytest.raises(ProfileError, match="5 faults") as raised:
        load(path)
    assert all(str(fault) in str(raised.value) for fault in check(path))
    assert raised.value.location == f"{path}:1"


def test_several_contradictions_in_one_table_are_told_together() -> None:
    text = 'name = "a"\n[mapping]\ndrop = ["PID"]\nconstant."PID-3" = "x"\ndefault."PID-8" = "y"\n'
    with pytest.raises(ProfileError, match="2 faults") as raised:
        parse(text, "p.toml")
    assert "p.toml:4: " in str(raised.value)
    assert "p.toml:5: " in str(raised.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('name = "a"\n[v2\n', 2),
        ('name = "a"\nname = "b"\n', 2),
        ('name = "a"\n\n[v2]\n[v2]\n', 4),
        ('name = "a"\ndescription = """x', 2),
        ("name = \n", 1),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ProfileError, match="this is no TOML") as raised:
        parse(text, "p.toml")
    assert raised.value.location == f"p.toml:{line}"


def test_bytes_that_are_no_utf8_are_told_with_their_line() -> None:
    with pytest.raises(ProfileError, match="UTF-8") as raised:
        parse('name = "a"\ndescription = "Jörg"\n'.encode("latin-1"), "p.toml")
    assert raised.value.location == "p.toml:2"


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        load(tmp_path / "none.toml")
    assert [fault.location for fault in check(tmp_path)] == [f"{tmp_path}:1"]


def test_a_file_that_is_too_large_or_nested_too_deeply_is_a_fault() -> None:
    with pytest.raises(ProfileError, match="too large"):
        parse("#" * (LARGEST + 1))
    with pytest.raises(ProfileError, match="nested too deeply"):
        parse("name = " + "[" * 100_000)


def test_the_digest_of_the_file_is_the_identity_of_the_profile() -> None:
    profile = load(DEMO)
    assert profile.sha256 == hashlib.sha256(DEMO.read_bytes()).hexdigest()
    assert profile.path == DEMO
    assert parse(DEMO.read_bytes() + b"# one word more\n").sha256 != profile.sha256


def test_paths_start_from_the_folder_of_the_profile(tmp_path: Path) -> None:
    path = tmp_path / "profiles" / "demo" / "profile.toml"
    path.parent.mkdir(parents=True)
    path.write_text(DEMO.read_text())
    caller = load(path).fhir.caller
    assert caller is not None
    assert caller.jwks is not None
    assert caller.jwks.resolve() == tmp_path / "issuer.jwks.json"


def test_an_absolute_path_stays_as_it_is() -> None:
    text = DEMO.read_text().replace("../../client.key.json", "/etc/connector/client.key.json")
    token = parse(text).fhir.token
    assert token is not None
    assert token.key == Path("/etc/connector/client.key.json")


@given(st.text(max_size=200))
def test_no_text_does_anything_but_load_or_raise_a_profile_error(text: str) -> None:
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return
    with pytest.raises(ProfileError):
        parse(raw)


@given(st.binary(max_size=40), st.integers(0, 4000))
def test_a_damaged_profile_loads_or_raises_a_profile_error(damage: bytes, at: int) -> None:
    raw = DEMO.read_bytes()
    with contextlib.suppress(ProfileError):
        parse(raw[:at] + damage + raw[at + len(damage) :])
