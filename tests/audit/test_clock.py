from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import AuditLog, verify
from audit.canonical import canonical
from audit.clock import FRESH, TIME_ERROR, UNSYNCHRONISED, Adjusted, KnownError, _asking
from audit.entry import FIELDS_OF, entry
from audit.log import BEFORE_THE_FIRST
from audit.merkle import leaf_hash
from tests.audit.site import connected, draft, entries, make, write

GOOD = Adjusted(0, 0x2001, 1_500)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (GOOD, 2),
        (GOOD._replace(greatest=0), 0),
        (GOOD._replace(greatest=2_000), 2),
        (GOOD._replace(greatest=-1), None),
        (GOOD._replace(status=UNSYNCHRONISED), None),
        (GOOD._replace(state=TIME_ERROR), None),
        (GOOD._replace(state=1), 2),  # a leap second is announced
        (GOOD._replace(state=-1), None),  # the call is refused
        (None, None),  # there is no such call
    ],
)
def test_the_known_error_is_rounded_up_and_null_where_the_clock_is_not_synchronised(
    said: Adjusted | None, known: int | None
) -> None:
    assert KnownError(lambda: said)() == known


def test_the_kernel_is_asked_once_a_second() -> None:
    answers: Iterator[Adjusted] = iter([GOOD, GOOD._replace(greatest=9_000)])
    now = 100.0
    error = KnownError(lambda: next(answers), lambda: now)
    assert [error() for _ in range(3)] == [2, 2, 2]
    now += FRESH
    assert [error() for _ in range(3)] == [9, 9, 9]


def test_the_kernel_of_this_machine_answers_or_is_not_believed() -> None:
    said = _asking()()
    assert said is None or said.state < 0 or (0 <= said.state <= TIME_ERROR and said.greatest >= 0)


@pytest.mark.parametrize("known", [None, 0, 17])
def test_each_entry_says_how_far_its_clock_may_be_off(tmp_path: Path, known: int | None) -> None:
    path = make(tmp_path / "log.db")
    write(path, [draft(), draft()], AuditLog(lambda: known))
    assert [json.loads(text)["uncertainty"] for _, text, _ in entries(path)] == [known, known]
    assert verify(path).good


def test_entries_of_the_first_format_still_verify_and_are_continued(tmp_path: Path) -> None:
    path = make(tmp_path / "log.db")
    _first_format(path, 3)
    write(path, [draft(3)])
    assert [json.loads(text)["format"] for _, text, _ in entries(path)] == [1, 1, 1, 2]
    assert verify(path).good


@pytest.mark.parametrize("change", [{"format": 2}, {"format": True}, {"format": 3}, {"uncertainty": 1}])
def test_an_entry_has_the_members_of_the_format_it_names(tmp_path: Path, change: dict[str, object]) -> None:
    path = make(tmp_path / "log.db")
    _first_format(path, 1, change)
    assert verify(path).faults == ("entry 1: modified (not the canonical form of an entry)",)


def _first_format(path: Path, count: int, change: dict[str, object] | None = None) -> None:
    """Entries as a store holds them that is older than the second format."""
    with connected(path) as connection:
        previous = BEFORE_THE_FIRST
        for seq in range(1, count + 1):
            said = {
                name: value
                for name, value in entry(draft(seq), seq, previous).items()
                if name in FIELDS_OF[1]
            }
            leaf = canonical(said | {"format": 1} | (change or {}))
            previous = leaf_hash(leaf)
            sql = "INSERT INTO audit_entry VALUES (?, ?, ?)"
            connection.exec_driver_sql(sql, (seq, leaf.decode(), previous))
