"""What encryption costs: a record of 2 KB with its wrapped key, its opening, and a blind index."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from benchmarks.report import Row, Say, percentile, times
from connector.store.cipher import BlindIndex, Cipher
from connector.store.keyring import DAY_MICROS, USES, DayKey, Keyring

TARGET: Final = 15.0  # microseconds, of one record encrypted
_BYTES: Final = 2048
_TOGETHER: Final = 50  # records in one call that is timed


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """Rows: a record encrypted under a fresh data key that a day key wraps, opened again, and an index."""
    say("encryption")
    ring = Keyring(bytearray(os.urandom(32)))
    ring.put(DayKey(1, "demo", 1, 0, bytearray(os.urandom(32))), current=True)
    cipher, index, plain = Cipher(ring), BlindIndex(ring, "search.mrn"), os.urandom(_BYTES)
    rounds = 100 if quick else 1000
    assert rounds * _TOGETHER * 2 < USES
    names = [f"{number:032x}:{number:064x}" for number in range(_TOGETHER)]
    made = [cipher.new("inbox", name, "demo", DAY_MICROS) for name in names]
    sealed = [(name, one.wrapped, one.seal("payload", plain)) for name, one in zip(names, made)]

    def encrypt() -> None:
        for name in names:
            cipher.new("inbox", name, "demo", DAY_MICROS).seal("payload", plain)

    def decrypt() -> None:
        for name, wrapped, content in sealed:
            cipher.of("inbox", name, "demo", wrapped).open("payload", content)

    def find() -> None:
        for name in names:
            index.of(name, "https://hospital.example/mrn")

    calls: list[Callable[[], object]] = [encrypt, decrypt, find]
    wrote, read, found = ([taken / _TOGETHER for taken in one] for one in times(calls, rounds))
    return [
        _row("a record of 2 KB encrypted, its data key wrapped by a day key", wrote, TARGET),
        _row("the same opened", read),
        _row("one blind index", found),
    ]


def _row(what: str, taken: list[float], target: float | None = None) -> Row:
    middle, most = percentile(taken, 0.5), percentile(taken, 0.99)
    figure = f"{middle:.1f} us, p99 {most:.1f}"
    if target is None:
        return Row("keys", what, figure)
    return Row("keys", what, figure, "", f"< {target:.0f} us", middle < target)
