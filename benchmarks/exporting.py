"""Exports of the audit log: how long one takes and how much memory, and how fast it is checked."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from audit.checkpoint import Checkpoint
from audit.directory import Shard, shards
from audit.export import VERIFIER, Made, plan, stream
from audit.merkle import Frontier, leaf_hash
from audit.notes import Kind
from audit.parties import Source
from audit.primitives import signer
from audit.saving import save
from audit.selection import Selection
from audit.signing import Signer, sign
from audit.tiles import bundled, grown
from benchmarks.report import Row, Say

QUICK: Final = 5_000  # entries
COUNT: Final = 50_000
MILLION: Final = 1_000_000
VERIFY: Final = 50_000  # entries a second
MEMORY: Final = 200  # MiB
ORIGIN: Final = "bench.example/2026"
_BATCH: Final = 25_600
_SEED: Final = bytes([1] * 32)


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """The rows of this part."""
    return _rows(say, QUICK if quick else COUNT)


def million(say: Say, *, quick: bool = False) -> list[Row]:
    """The same for a million entries."""
    return _rows(say, QUICK if quick else MILLION)


def _rows(say: Say, count: int) -> list[Row]:
    say(f"export: a log of {count:,} entries, exported and checked")
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as name:
        folder = Path(name)
        _log(folder / "log", count)
        out = folder / "x.zip"
        taken, peak = _measured("export", str(folder / "log"), str(out))
        size = out.stat().st_size
        alone = _alone(out)
        here, memory = _measured("verify", str(out), clock="core")
    many = f"{count:,} entries"
    return [
        Row("export", f"{many} exported whole: seconds ({count / taken:,.0f} entries/s)", f"{taken:.1f} s"),
        Row("export", f"{many}: bytes in the file, for each entry", f"{size / count:,.0f} B"),
        Row("export", f"{many}: peak memory of the process", f"{peak:.0f} MiB", "", "200 MiB", peak < MEMORY),
        _rate(
            "verify.py, Python alone: each entry, proof and row of a whole range; of one core", count, alone
        ),
        _rate("python -m audit verify, with cryptography: the same", count, here),
        Row("export", f"{many} checked: peak memory", f"{memory:.0f} MiB", "", "200 MiB", memory < MEMORY),
    ]


def _rate(what: str, count: int, taken: float) -> Row:
    rate = count / taken
    return Row("export", what, f"{rate:,.0f} /s", "", f"{VERIFY:,} /s", rate >= VERIFY)


def _log(directory: Path, count: int) -> None:
    """A sealed log of plausible entries, written without its table."""
    shard = Shard(directory / "2026", 2026)
    shard.root.mkdir(parents=True)
    by = _signer(ORIGIN)
    (shard.root / "keys").write_text(f"{by.key}\n")
    tree, entries = Frontier(), _entries(count)
    for start in range(0, count, _BATCH):
        batch = [next(entries) for _ in range(min(_BATCH, count - start))]
        leaves = [leaf_hash(one) for one in batch]
        for tile, content in (*bundled(start, batch, shard.read), *grown(start, leaves, shard.read)):
            path = shard.root / tile.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        tree.extend(leaves)
    head = Checkpoint(ORIGIN, tree.size, tree.root())
    (shard.root / "checkpoint").write_bytes(sign(head, [by], 1_795_000_000))


def _entries(count: int) -> Iterator[bytes]:
    """The steps of messages, as a hospital's log has them."""
    from audit.canonical import canonical
    from audit.entry import Draft, Tag, entry

    partner = {
        "role": "partner",
        "certificate": f"sha256:{'0123456789abcdef' * 4}",
        "subject": "CN=lab-north,O=Hospital",
        "address": "10.0.0.5:41022",
    }
    us = {"role": "connector"}
    steps = (
        (Tag.MESSAGE_V2_RECEIVED, partner, {"message": "ADT^A01", "size": 1843, "content": "c0ffee12" * 8}),
        (Tag.MESSAGE_V2_TRANSLATED, us, {"made": 1, "lost": ["PV1-3.4", "ZPI-2"], "numbers": [57]}),
        (Tag.DELIVERY_FHIR_INTENDED, us, {"attempt": 1}),
        (Tag.DELIVERY_FHIR_ACKNOWLEDGED, us, {"attempt": 1, "resources": 4}),
    )
    previous = bytes(32)
    for seq in range(1, count + 1):
        tag, actor, what = steps[seq % 4]
        about = {
            "link": "lab-north",
            "direction": "to_fhir",
            "number": seq // 4,
            "patient": [f"{seq // 4:016x}"],
        }
        seconds = seq // 20
        time = f"2026-{1 + seconds // 86400 // 28:02}-{1 + seconds // 86400 % 28:02}T"
        time += f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{seq % 20 * 50:03}Z"
        draft = Draft(time, tag, actor, {**about, **what}, correlation=f"{seq // 4:032x}")
        made = canonical(entry(draft, seq, previous, 3))
        previous = leaf_hash(made)
        yield made


def _signer(origin: str) -> Signer:
    return signer(origin, Kind.ED25519, _SEED)


def _measured(*what: str, clock: str = "seconds") -> tuple[float, float]:
    """Seconds, by the clock or of its core, and MiB at most, of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.exporting", *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    return float(said[clock]), float(said["peak"])


def _alone(out: Path) -> float:
    """``verify.py`` as an auditor runs it: seconds of its one core."""
    before = _spent()
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(VERIFIER), str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return _spent() - before


def _spent() -> float:
    """Seconds of a core that processes which have ended were given."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(what: str, *paths: str) -> None:
    """One measured act, in its own process."""
    start, core = perf_counter(), process_time()
    if what == "export":
        made = Made("2026-12-31T23:00:00Z", {"role": "operator", "name": "bench"}, "a benchmark")
        chosen = plan(shards(Path(paths[0])), Selection())
        save(stream(chosen, made, _signer, Source("bench.example", "bench")), Path(paths[1]))
    else:
        from audit import __main__ as program

        assert program.main(["verify", paths[0]]) == 0
    print(json.dumps({"seconds": perf_counter() - start, "core": process_time() - core, "peak": _peak()}))


def _peak() -> float:
    """MiB; of this program, and not of the one that started it, which ``getrusage`` would count."""
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
