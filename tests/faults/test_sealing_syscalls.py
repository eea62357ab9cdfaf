"""Every system call of appending, sealing and writing tiles fails once, or is the last one of the process.

Whatever was acknowledged is in the log and under a checkpoint after the next run; every checkpoint that was
ever signed, in both runs, is of one tree; and everything that lies on the disk is what the entries lead to.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from audit import verify
from audit.directory import shards
from audit.fsck import fsck
from tests.audit.sealed import consistent
from tests.forked import Nursery
from tests.store.site import rows

from .full import FULL
from .sealing import BATCHES, GAVE_UP
from .strace import PATIENCE, Fault, Program, traced

CALLS: Final = (
    "pwrite64", "write", "fdatasync", "fsync", "openat", "rename", "mkdir", "unlink", "unlinkat", "rmdir",
    "ftruncate", "read", "flock", "newfstatat",
)  # fmt: skip
MOST: Final = 60  # of each call
SOME: Final = 2 if FULL else 197  # of so many faults a run tries one; coprime to the kinds of faults
_AT_ONCE: Final = min(len(os.sched_getaffinity(0)), 4) if FULL else 2
_KILLED: Final = (-signal.SIGKILL, 128 + signal.SIGKILL)

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the system calls fail")


class Seen(NamedTuple):
    """What became of one faulty run and of the next one, which is left alone."""

    fault: Fault
    hit: bool
    refused: int
    killed: bool
    signed: int


@pytest.mark.slow
@pytest.mark.timeout(3600 if FULL else 240)
def test_no_system_call_that_fails_loses_an_entry_or_signs_another_tree(tmp_path: Path) -> None:
    program = _program(tmp_path / "known")
    (tmp_path / "counted").mkdir()
    faults = list(program.faults(tmp_path / "counted", MOST))[1::SOME]
    with Nursery("tests.store.site", "audit.sealing") as nursery, ThreadPoolExecutor(_AT_ONCE) as pool:
        seen = list(pool.map(partial(_tried, program, nursery), faults))
    hit = [one for one in seen if one.hit]
    by_fault = Counter(f"{one.fault.call} {one.fault.what}" for one in hit)
    refused, killed = sum(one.refused > 0 for one in hit), sum(one.killed for one in hit)
    signed = sum(one.signed for one in hit)
    print(
        f"{len(hit)} system calls failed: {refused} runs said no, {killed} were killed; "
        f"{signed} checkpoints signed, all consistent; {dict(by_fault)}"
    )
    assert len(hit) >= (300 if FULL else 3)
    assert signed > len(hit)
    assert not FULL or (refused and killed)


def _program(known: Path) -> Program:
    """Its files are those of a run that nothing happens to, and what they are written as at first."""
    known.mkdir()
    done = Program("tests.faults.sealing", lambda folder: []).run(known)
    assert done.returncode == 0, done.stderr
    made = [path.relative_to(known) for path in sorted(known.rglob("*")) if path.name != "kek.key"]
    gone = [
        Path(f"store.audit/{year}/tile/{kind}/000.p") for year in (2026, 2027) for kind in ("0", "entries")
    ]
    gone += [folder / width for folder in gone for width in ("3", "2")]
    parts = [path.with_name(f".{path.name}.new") for path in (*made, *gone)]
    ends = [Path("store.db-wal"), Path("store.db-shm")]
    names = dict.fromkeys([Path(), *made, *gone, *parts, *ends])
    return Program("tests.faults.sealing", lambda folder: [folder / name for name in names], CALLS)


def _tried(program: Program, nursery: Nursery, fault: Fault) -> Seen:
    with tempfile.TemporaryDirectory(prefix="connector-fault-") as name:
        folder = Path(name)
        first = program.run(folder, fault)
        assert first.returncode in (0, GAVE_UP, *_KILLED), (fault, first.stderr)
        said = traced(folder)
        (folder / "trace").unlink()
        with (folder / "second").open("w+b") as file:
            code = nursery.start([program.module, str(folder)], file).wait(PATIENCE)
        second = (folder / "second").read_text()
        assert code == 0, (fault, first.stdout, second)
        signed = _nothing_was_lost(folder, fault, first.stdout + second)
        killed = first.returncode in _KILLED
        return Seen(fault, "INJECTED" in said or killed, first.stdout.count("refused"), killed, signed)


def _nothing_was_lost(folder: Path, fault: Fault, said: str) -> int:
    """How many checkpoints were signed."""
    acknowledged: Counter[int] = Counter()
    signed: defaultdict[str, list[bytes]] = defaultdict(list)
    for step, *what in map(str.split, said.splitlines()):
        if step == "appended":
            acknowledged[int(what[0])] += int(what[1])
        if step == "signed":
            note = base64.b64decode(what[0])
            signed[note.partition(b"\n")[0].decode()].append(note)
    entries = [json.loads(row[0]) for row in rows(folder, "SELECT entry FROM audit_entry")]
    there = Counter(one["object"].get("number") for one in entries)
    for number, count in acknowledged.items():
        assert there[number] >= count, (fault, number)
    assert verify(folder / "store.db").good, fault
    found = fsck(folder / "store.db", folder / "store.audit")
    assert found.good, (fault, found)
    assert found.unsealed <= 1, (fault, found)  # that the last shard was opened
    known = {shard.origin: shard for shard in shards(folder / "store.audit")}
    assert signed.keys() == known.keys(), fault
    assert sum(acknowledged.values()) >= sum(count for count, _ in BATCHES), fault
    return sum(consistent(known[origin], notes) for origin, notes in signed.items())
