"""The disk fails under the store: system calls are made to fail by strace, where that is there."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit import verify
from connector.store import Counts
from tests.store.site import LINK, TO_FHIR, open_store, rows, take

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the system calls fail")
@pytest.mark.parametrize(
    "fault",
    [
        "fdatasync:error=EIO:when=2+2",
        "fdatasync:error=EIO:when=4+1",
        "pwrite64:error=EIO:when=90",
        "pwrite64:error=ENOSPC:when=60+9",
    ],
)
def test_what_is_taken_is_there_and_what_is_refused_is_not(tmp_path: Path, fault: str) -> None:
    asyncio.run(open_store(tmp_path).close())
    taken, refused = _under(fault, tmp_path)
    assert len(taken) + len(refused) == 30
    assert refused
    report = verify(tmp_path / "store.db")
    assert report.good, report
    assert report.entries == len(taken)
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    asyncio.run(_are_there(tmp_path, taken, refused))


def _under(fault: str, folder: Path) -> tuple[set[str], set[str]]:
    command = [
        "strace",
        "--seccomp-bpf",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={fault.partition(':')[0]}",
    ]
    command += ["-e", f"inject={fault}", sys.executable, "-m", "tests.store.faulty", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    said = [line.split() for line in done.stdout.splitlines()]
    taken, refused = ({one for one, what in said if what == word} for word in ("taken", "refused"))
    return taken, refused


async def _are_there(folder: Path, taken: set[str], refused: set[str]) -> None:
    store = open_store(folder)
    assert (await store.counts()).get((LINK, TO_FHIR), Counts()).received == len(taken)
    for one in taken | refused:
        assert (await take(store, one, one.encode())).duplicate == (one in taken)
    await store.close()
