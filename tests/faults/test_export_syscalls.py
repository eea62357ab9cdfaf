"""Every system call of writing an export fails once, or is the last one of the process.

Under its name stands a whole export that verifies, or nothing; and the next run makes one.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from audit import verify_export
from tests.audit.exported import Log, checked

from .exporting import GAVE_UP, OUT, PART
from .full import FULL
from .strace import Fault, Program, traced

CALLS: Final = ("write", "fsync", "openat", "link", "linkat", "unlink", "unlinkat", "read", "close", "fstat")
MOST: Final = 30  # of each call
SOME: Final = 1 if FULL else 61  # of so many faults a run tries one; coprime to the kinds of faults
_AT_ONCE: Final = min(len(os.sched_getaffinity(0)), 4) if FULL else 2
_KILLED: Final = (-signal.SIGKILL, 128 + signal.SIGKILL)
_LEFT: Final = (Path(OUT), Path(PART), Path())

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the system calls fail")


class Seen(NamedTuple):
    """What became of one faulty run."""

    fault: Fault
    hit: bool
    code: int


@pytest.mark.slow
@pytest.mark.timeout(1800 if FULL else 120)
def test_a_half_written_export_never_stands_under_its_name(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.fill(300)
    program = Program("tests.faults.exporting", partial(_files, tmp_path), CALLS)
    counted = _copied(tmp_path, tmp_path / "counted")
    faults = list(program.faults(counted, MOST))[::SOME]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        seen = list(pool.map(partial(_tried, program, tmp_path), faults))
    hit = [one for one in seen if one.hit]
    codes = Counter("killed" if one.code in _KILLED else one.code for one in hit)
    print(f"{len(hit)} system calls failed; exit codes {dict(codes)}")
    assert len(hit) >= (100 if FULL else 2)
    assert not FULL or {GAVE_UP, "killed"} <= codes.keys()


def _files(known: Path, folder: Path) -> list[Path]:
    made = [path.relative_to(known) for path in sorted((known / "store.audit").rglob("*"))]
    return [folder / one for one in (*_LEFT, Path("store.audit"), Path("store.audit.key"), *made)]


def _copied(known: Path, folder: Path) -> Path:
    shutil.copytree(known / "store.audit", folder / "store.audit")
    shutil.copy2(known / "store.audit.key", folder)
    return folder


def _tried(program: Program, known: Path, fault: Fault) -> Seen:
    with tempfile.TemporaryDirectory(prefix="connector-fault-") as name:
        folder = _copied(known, Path(name) / "log")
        first = program.run(folder, fault)
        assert first.returncode in (0, GAVE_UP, *_KILLED), (fault, first.stderr)
        assert (first.returncode == 0) <= (folder / OUT).exists(), fault
        hit = "INJECTED" in traced(folder) or first.returncode in _KILLED
        (folder / PART).unlink(missing_ok=True)
        if not (folder / OUT).exists():
            second = program.run(folder)
            assert second.returncode == 0, (fault, second.stdout, second.stderr)
        found = checked(folder / OUT)
        assert found.code == 0, (fault, found.report)
        assert oct((folder / OUT).stat().st_mode)[-3:] == "600"
        return Seen(fault, hit, first.returncode)


def test_what_is_there_already_stays_as_it_is(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.fill(5)
    (tmp_path / OUT).write_bytes(b"mine")
    done = Program("tests.faults.exporting", lambda folder: []).run(tmp_path)
    assert (done.returncode, done.stdout) == (GAVE_UP, "refused FileExistsError\n")
    assert (tmp_path / OUT).read_bytes() == b"mine"
    assert not (tmp_path / PART).exists()
    assert verify_export.check(str(tmp_path / OUT), None, verify_export.Trust([], []))[1] == 1
