from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector import settings
from connector.profile import parse
from connector.profile.check import check
from tests.profile.planted import DEMO
from tests.profile.reference import NAMES, README, rendered, rewritten, written

TEXT = README.read_text()


def _examples() -> Iterator[str]:
    yield from re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_says_what_the_models_say(name: str) -> None:
    assert written(TEXT, name).strip() == rendered(name).strip()
    assert rewritten(TEXT) == TEXT


def test_the_first_profile_of_the_readme_is_one(tmp_path: Path) -> None:
    profile = parse(next(one for one in _examples() if one.startswith("name = ")))
    assert profile.directions == ("to_fhir", "to_v2")


def test_every_other_piece_fits_into_a_profile(tmp_path: Path) -> None:
    pieces = [one for one in _examples() if not one.startswith(("name = ", "store = "))]
    for number, piece in enumerate(pieces):
        path = tmp_path / f"{number}.toml"
        path.write_text(f'name = "piece"\n{piece}')
        assert [str(fault) for fault in check(path)] == []
    assert len(pieces) >= 3


def test_the_settings_of_the_readme_are_settings(tmp_path: Path) -> None:
    path = tmp_path / "connector.toml"
    path.write_text(next(one for one in _examples() if one.startswith("store = ")))
    profile = tmp_path / "profiles" / "demo" / "profile.toml"
    profile.parent.mkdir(parents=True)
    profile.write_text(DEMO.read_text())
    assert settings.load(path).settings.mllp.port == 2575


def test_the_faults_that_the_readme_shows_are_told_like_that(tmp_path: Path) -> None:
    shown = re.search(r"```\n\$ connector profile check [^\n]*\n(.*?)```", TEXT, re.DOTALL)
    assert shown is not None
    path = tmp_path / "profile.toml"
    path.write_text('name = "x"\n[mapping]\ndorp = ["PID-19"]\n[v2]\ntime_zone = "Europe/Wien"\n')
    told = [str(fault).partition(": ")[2] for fault in check(path)]
    assert [line.partition(": ")[2] for line in shown[1].splitlines()] == told
