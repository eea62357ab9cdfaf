"""``make release-check`` fails where it cannot know."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def _checked(folder: Path, code: int) -> subprocess.CompletedProcess[str]:
    """The script in a folder whose pip-audit ends with this code and writes down how it was called."""
    (folder / "scripts").mkdir()
    (folder / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "release-check", folder / "scripts")
    audit = folder / ".venv" / "bin" / "pip-audit"
    audit.write_text(f'#!/bin/sh\necho "$@" >> {folder}/called\nexit {code}\n')
    audit.chmod(0o755)
    words = ["bash", "scripts/release-check"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_without_an_answer_of_the_database_nothing_is_released(tmp_path: Path) -> None:
    done = _checked(tmp_path, 1)
    assert done.returncode == 1
    assert "without an answer of the database nothing is released" in done.stderr
    assert (tmp_path / "called").read_text().count("\n") == 1


def test_both_locks_are_asked_for_strictly(tmp_path: Path) -> None:
    done = _checked(tmp_path, 0)
    assert done.returncode != 0  # the next steps need the repository
    calls = (tmp_path / "called").read_text().splitlines()
    assert [line.split()[-1] for line in calls] == ["requirements.lock", "requirements-dev.lock"]
    assert all({"--strict", "--require-hashes", "--disable-pip"} <= set(line.split()) for line in calls)


def test_ruff_looks_for_what_bandit_does() -> None:
    said = (ROOT / "pyproject.toml").read_text()
    assert '"S"' in said.partition("select = [")[2].partition("]")[0]
