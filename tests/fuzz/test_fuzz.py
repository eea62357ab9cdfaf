"""Each target holds for all that is kept, and for some thousands of new inputs, the same in every run.

``make fuzz`` tries a million of each that are new.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.forked import Nursery
from tests.fuzz.running import AVAILABLE, CORPUS, TARGETS, Run, command, read

SOME: Final = {
    "v2_parser": 1500, "mllp_framer": 5000, "fhir_intake": 3000, "profile_loader": 1500,
    "token_validator": 3000, "token_request": 1500, "code_tables": 10_000, "audit_texts": 5000,
    "audit_reviews": 600,
}  # fmt: skip
KEPT: Final = sorted(path for path in CORPUS.rglob("*") if path.is_file())
guided = pytest.mark.skipif(not AVAILABLE, reason="there is no atheris for this Python")


def _target(name: str) -> Any:
    return importlib.import_module(f"tests.fuzz.{name}")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery("tests.fuzz.instrumented") as made:
        yield made


def _run(nursery: Nursery, name: str, folder: Path, *options: str) -> Run:
    learnt = folder / name
    learnt.mkdir()
    _, _, *words = command(name, learnt, "-seed=1", *options)
    words = [f"-artifact_prefix={learnt}/" if word.startswith("-artifact_prefix") else word for word in words]
    with (folder / "said").open("wb") as said:
        code = nursery.start(words, said).wait(120)
    return read(name, (folder / "said").read_text(errors="replace"), code)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_invariant_holds_for_what_is_kept(path: Path) -> None:
    _target(path.parent.name).check(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_says_its_invariant_and_keeps_inputs(name: str) -> None:
    assert (_target(name).__doc__ or "").strip().endswith(".")
    assert len(_target(name).__doc__.strip().splitlines()) == 1
    assert len([path for path in KEPT if path.parent.name == name]) >= 3


@guided
@pytest.mark.parametrize("name", TARGETS)
def test_the_invariant_holds_for_inputs_that_are_made(nursery: Nursery, name: str, tmp_path: Path) -> None:
    done = _run(nursery, name, tmp_path, f"-runs={SOME[name]}")
    assert done.broken == ""
    assert done.executions >= SOME[name]


@guided
def test_an_invariant_that_does_not_hold_is_found(nursery: Nursery, tmp_path: Path) -> None:
    done = _run(nursery, "planted", tmp_path, "-runs=200000")
    assert done.broken == "ValueError: planted"
    assert list((tmp_path / "planted").glob("crash-*"))


def test_every_target_has_its_runs_and_its_corpus() -> None:
    assert set(SOME) == set(TARGETS)
    assert {path.parent.name for path in KEPT} == set(TARGETS)
