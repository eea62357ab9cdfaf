"""The root of the image: what is asked for and its libraries, a user, and nothing to open a shell with."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).parents[2] / "scripts" / "image_root.py"
pytestmark = pytest.mark.skipif(shutil.which("ldconfig") is None, reason="there is no loader to ask")


def _tree(folder: Path, **extra: str) -> Path:
    tree = folder / "opt" / "app"
    python, library = "#!/opt/app/bin/python\n", "lib/python3.11"
    files = {
        "bin/start": python,
        "bin/helper": "#!/bin/sh\n",
        "bin/other": "#! /usr/bin/env bash\n",
        "bin/pip3.11": python,
        f"{library}/test/x.py": "",
        f"{library}/json/x.py": "",
        f"{library}/site-packages/pip/x.py": "",
        f"{library}/site-packages/connector/test.py": "",
        **extra,
    }
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    shutil.copyfile(os.path.realpath(sys.executable), tree / "bin" / "python")
    (tree / "bin" / "python").chmod(0o755)
    return tree


def _made(folder: Path, tree: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, SCRIPT, folder / "image", tree]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_the_root_holds_the_tree_its_libraries_and_a_user(tmp_path: Path) -> None:
    tree = _tree(tmp_path)
    done = _made(tmp_path, tree)
    assert done.returncode == 0, done.stderr
    image = tmp_path / "image"
    names = {str(path.relative_to(image)) for path in image.rglob("*") if path.is_file()}
    here = str(tree.relative_to("/"))
    kept = {name.removeprefix(f"{here}/") for name in names if name.startswith(here)}
    assert kept == {
        "bin/python", "bin/start", "lib/python3.11/json/x.py",
        "lib/python3.11/site-packages/connector/test.py",
    }  # fmt: skip
    assert any("libc.so" in name or "ld-musl" in name for name in names)
    assert (image / "etc" / "passwd").read_text().startswith("connector:x:10001:10001:")
    assert stat.S_IMODE((image / "tmp").stat().st_mode) == 0o1777


def test_nothing_in_it_is_a_shell_or_gives_rights_away(tmp_path: Path) -> None:
    assert _made(tmp_path, _tree(tmp_path)).returncode == 0
    found = [path for path in (tmp_path / "image").rglob("*") if path.is_file()]
    assert not [path for path in found if path.name in ("sh", "bash", "dash", "busybox", "helper", "other")]
    assert not [path for path in found if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)]


@pytest.mark.parametrize("name", ["sh", "bash", "busybox"])
def test_with_a_shell_among_it_no_image_is_made(tmp_path: Path, name: str) -> None:
    done = _made(tmp_path, _tree(tmp_path, **{f"bin/{name}": "\x7fELF"}))
    assert done.returncode == 1
    assert "there is a shell" in done.stderr
