"""A review of the audit log: its time and its memory, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from audit.review import Asked, Review, html
from audit.review.disclosures import Accounting, Patient
from benchmarks.report import Row, Say

COUNT: Final = 1_000_000
QUICK: Final = 50_000
SECONDS: Final = 30.0  # for COUNT
MEMORY: Final = 100.0  # MiB, the largest that the process ever is
BEGIN: Final = datetime(2026, 1, 5, tzinfo=UTC)
_PIECE: Final = 1_000
_STEPS: Final = (
    "message:v2:received",
    "message:v2:translated",
    "delivery:fhir:intended",
    "delivery:fhir:acknowledged",
)


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """The rows of this part."""
    count = QUICK if quick else COUNT
    say(f"review: {count:,} entries")
    rows = []
    for name in PARTS:
        given = [sys.executable, "-m", "benchmarks.reviewing", str(count), name]
        found = subprocess.run(given, check=True, capture_output=True).stdout
        seconds, mebibytes = json.loads(found)
        target = f"{SECONDS:.0f} s a million"
        met = seconds <= SECONDS * count / COUNT
        what = f"{name}: {count:,} entries read and told"
        rows.append(Row("review", what, f"{seconds:.1f} s", f"{count / seconds:,.0f}/s", target, met))
        most = f"{MEMORY:.0f} MiB"
        rows.append(Row("review", f"{name}: memory", f"{mebibytes:.0f} MiB", "", most, mebibytes <= MEMORY))
    return rows


def _pieces(count: int) -> Iterator[list[bytes]]:
    """Entries as they lie in the log: ten weeks of 20 partners, 5,000 patients and 30 people."""
    step, at, piece = timedelta(weeks=10) / count, BEGIN, list[bytes]()
    for seq in range(1, count + 1):
        at += step
        piece.append(json.dumps(_entry(seq, at), sort_keys=True, separators=(",", ":")).encode())
        if len(piece) == _PIECE:
            yield piece
            piece = []
    yield piece


def _entry(seq: int, at: datetime) -> dict[str, Any]:
    number = seq // len(_STEPS)
    patient, place = f"{number % 5_000:016x}", {"link": f"link{number % 20}", "direction": "to_fhir"}
    tag, actor = _STEPS[seq % len(_STEPS)], {"role": "connector"}
    what: dict[str, Any] = {**place, "patient": [patient], "size": 2100, "message": "ADT^A08"}
    if seq % 50 == 0:
        tag, actor = (
            "operator:content:viewed",
            {"role": "operator", "name": f"p{number % 30}", "realm": "login"},
        )
        what = {
            **place,
            "kind": "message",
            "number": number,
            "because": f"ticket {number % 900}",
            "patient": [patient],
        }
    return {
        "actor": actor,
        "correlation": f"{number:032x}",
        "format": 2,
        "object": what,
        "outcome": "success",
        "previous": f"{seq:064x}",
        "reason": "",
        "seq": seq,
        "tag": tag,
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "uncertainty": 3,
    }  # fmt: skip


def _measured(count: int, name: str) -> tuple[float, float]:
    """Seconds for reading and telling; the most MiB that the process took."""
    part, taken = PARTS[name](), 0.0
    for piece in _pieces(count):
        start = perf_counter()
        for raw in piece:
            part.see(json.loads(raw))
        taken += perf_counter() - start
    start = perf_counter()
    html(part.report())
    taken += perf_counter() - start
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(
        line for line in status.splitlines() if line.startswith("VmHWM")
    )  # rusage counts the parent's
    return taken, int(peak.split()[1]) / 1024


PARTS: Final[dict[str, Callable[[], Review | Accounting]]] = {
    "a review": lambda: Review(Asked(BEGIN + timedelta(weeks=6))),
    "disclosures": lambda: Accounting(Patient(frozenset({f"{7:016x}"}))),
}

if __name__ == "__main__":
    print(json.dumps(_measured(int(sys.argv[1]), sys.argv[2])))
