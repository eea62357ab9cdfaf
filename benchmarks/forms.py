"""The forms of audit events: how fast entries become AuditEvents and ATNA messages, from bytes to bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final

from audit import atna, balp, balp_rules
from audit.parties import Source
from benchmarks.report import Row, Say
from tests.audit.samples import leaves, log

QUICK: Final = 2_000  # entries
MINUTE: Final = 1_000_000 / 60  # entries a second: a million in a minute
_SOURCE: Final = Source("bench.example", "connector.bench.example")


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """The rows of this part."""
    say("events: entries of a plausible day as AuditEvents and ATNA messages")
    written = leaves(log(QUICK if quick else 20_000))
    return [
        _row("entries as FHIR AuditEvents, one for each patient, JSON", written, _fhir, MINUTE),
        _row("entries as ATNA audit messages, XML", written, _atna, MINUTE),
        _row("AuditEvents checked against the constraints of BALP", written, _checked),
    ]


def _fhir(leaf: bytes) -> int:
    events = balp.events_of(json.loads(leaf), _SOURCE, leaf)
    return sum(len(json.dumps(one, ensure_ascii=False, separators=(",", ":"))) for one in events)


def _atna(leaf: bytes) -> int:
    return len(atna.message(json.loads(leaf), _SOURCE, leaf))


def _checked(leaf: bytes) -> int:
    for one in balp.events_of(json.loads(leaf), _SOURCE, leaf):
        assert not balp_rules.broken(one)
    return 0


def _row(what: str, written: Sequence[bytes], make: Callable[[bytes], int], target: float = 0) -> Row:
    start = perf_counter()
    size = sum(map(make, written))
    rate = len(written) / (perf_counter() - start)
    each = f"{size // len(written):,} bytes each" if size else ""
    asked = f"{target:,.0f} /s" if target else ""
    return Row("events", what, f"{rate:,.0f} /s", each, asked, rate >= target if target else None)
