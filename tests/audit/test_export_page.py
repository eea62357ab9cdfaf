"""The page for who was handed an export: its commands do what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from audit.export import VERIFIER
from tests.audit.exported import WITNESS, between, day

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "compliance" / "export.md"
_BLOCK: Final = re.compile(r"```console\n(.*?)```", re.DOTALL)


def _shown() -> list[tuple[str, str]]:
    """Each command with what is shown of its output."""
    parts = [
        part
        for block in _BLOCK.findall(PAGE.read_text())
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]
    ]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an auditor has, and python3 by that name."""
    folder = tmp_path_factory.mktemp("auditor")
    (folder / "bin").mkdir()
    (folder / "bin/python3").symlink_to(sys.executable)
    (folder / "earlier.zip").write_bytes(day().exported(between(10, 20)))
    (folder / "export.zip").write_bytes(day().exported(between(100, 106)))
    shutil.copy(VERIFIER, folder / "verify.py")
    return folder


def test_the_commands_of_the_page_do_what_it_shows(handed: Path) -> None:
    environment = {
        "PATH": f"{handed / 'bin'}:{os.environ['PATH']}",
        "KEY": str(day().public),
        "WITNESS": str(WITNESS.key),
    }
    for line, expected in _shown():
        done = subprocess.run(
            ["sh", "-c", line], cwd=handed, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        pattern = re.escape(expected).replace(r"\.\.\.", ".*")
        assert re.fullmatch(pattern, done.stdout, re.DOTALL), done.stdout


def test_the_page_is_found_and_names_what_there_is() -> None:
    assert "compliance/export.md" in (ROOT / "README.md").read_text()
    text = PAGE.read_text()
    assert "audit/verify_export.py" in text
    assert VERIFIER == ROOT / "audit" / "verify_export.py"
    assert len(_shown()) == 5
